import { createHash } from 'node:crypto';
import type { ArtifactRef, Lineage } from '../schemas/artifact.ts';
import { canonicalJson } from '../schemas/canonical-json.ts';
import type { Stage } from '../schemas/stage.ts';

/** Digest of everything that decides the bytes of an artifact: the name of the work, on any worker. */
export const cacheKey = (lineage: Lineage): string =>
  createHash('sha256').update(canonicalJson(lineage)).digest('hex');

/** What a stage is about to make, described by all that decides its bytes; params that never do are left out. */
export const toLineage = (
  stage: Stage,
  work: {
    params: unknown;
    inputs: Record<string, ArtifactRef | ArtifactRef[]>;
    fingerprint: string | undefined;
    code: string;
    engine: string;
  },
): Lineage => {
  const { params, inputs, fingerprint, code, engine } = work;
  const deciding = Object.entries(Object(params)).filter(([name]) => !stage.incidental?.includes(name));
  const refs = Object.entries(inputs).map(([slot, ref]) => [
    slot,
    [ref].flat().map(({ kind, digest }) => ({ kind, digest })),
  ]);
  return {
    stage: stage.name,
    version: stage.version,
    // Through JSON, so that a lineage read back from a manifest compares equal.
    params: JSON.parse(canonicalJson(Object.fromEntries(deciding))),
    inputs: Object.fromEntries(refs),
    ...(fingerprint !== undefined && { fingerprint }),
    code,
    engine,
  };
};
