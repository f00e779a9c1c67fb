import { z } from 'zod';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { StageError } from '../../schemas/errors.ts';
import { cohortName } from '../../schemas/stages/train.ts';
import type { OpenArtifact } from '../../schemas/store.ts';
import type { LineageStep } from './report-data.ts';

type Open = (ref: ArtifactRef) => Promise<Pick<OpenArtifact, 'manifest'>>;

const named = z.object({ generator: z.string(), patients: z.number().optional() });

/**
 * Whose artifact it is, where no scorecard names it: its own parameter states it, or that of the model it
 * came from.
 */
const ownerOf = (params: unknown, inputs: readonly LineageStep[]): string | undefined => {
  const own = named.safeParse(params);
  if (own.success) return cohortName(own.data.generator, own.data.patients);
  return inputs.map(({ generator }) => generator).find((generator) => generator !== undefined);
};

const deleted = ({ kind, digest }: ArtifactRef): LineageStep => ({
  title: `${kind}, deleted`,
  stage: '?',
  version: 0,
  kind,
  digest,
  params: {},
  inputs: [],
  code: '?',
  engine: '?',
});

/**
 * Walks from artifacts back to the source: every artifact once, after all it was made from. A deleted
 * ancestor is listed without its own ancestors. `names`: digest → names of the branches that the artifact
 * belongs to.
 */
export const traceLineage = async (
  refs: readonly ArtifactRef[],
  open: Open,
  names: ReadonlyMap<string, readonly string[]> = new Map(),
): Promise<LineageStep[]> => {
  const steps = new Map<string, LineageStep>();
  const visit = async (ref: ArtifactRef): Promise<LineageStep> => {
    const known = steps.get(ref.digest);
    if (known) return known;
    const artifact = await open(ref).catch((error: unknown) => {
      if (error instanceof StageError && error.code === 'ArtifactMissing') return undefined;
      throw error;
    });
    if (!artifact) {
      steps.set(ref.digest, deleted(ref));
      return deleted(ref);
    }
    const { stage, version, params, inputs, fingerprint, code, engine } = artifact.manifest.lineage;
    const from: LineageStep[] = [];
    for (const input of Object.values(inputs).flat()) from.push(await visit(input));
    const generator = names.get(ref.digest)?.join(', ') ?? ownerOf(params, from);
    const step: LineageStep = {
      title: generator === undefined ? stage : `${stage} ${generator}`,
      stage,
      version,
      kind: ref.kind,
      digest: ref.digest,
      params,
      inputs: from.map(({ digest }) => digest),
      generator,
      fingerprint,
      code,
      engine,
    };
    steps.set(ref.digest, step);
    return step;
  };
  for (const ref of refs) await visit(ref);
  return [...steps.values()];
};
