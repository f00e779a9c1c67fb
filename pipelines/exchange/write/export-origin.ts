import { z } from 'zod';
import type { ArtifactRef } from '../../../schemas/artifact.ts';
import type { OpenArtifact } from '../../../schemas/store.ts';
import { traceLineage } from '../../report/lineage-trace.ts';
import type { LineageStep } from '../../report/report-data.ts';
import type { ExportOrigin } from './companions.ts';

const named = z.object({ layout: z.string() });

/** The real data at the root of a lineage, as a clause without paths. */
const sourceOf = (steps: readonly LineageStep[]): string | undefined => {
  const extraction = steps.find(({ stage }) => stage === 'extract');
  const params = named.safeParse(extraction?.params);
  if (!extraction || !params.success) return undefined;
  const digest =
    extraction.fingerprint === undefined ? '' : `, fingerprint ${extraction.fingerprint.slice(0, 12)}`;
  return `real tables in the layout ${params.data.layout} (events ${extraction.digest.slice(0, 12)}${digest})`;
};

/**
 * Where an artifact with a synthetic cohort comes from, by the manifests of a store. `generator` is the name of its
 * branch; `report` the report of its run, whose verdict is quoted. Throws ArtifactMissing, ArtifactCorrupt.
 */
export const exportOrigin = async (
  cohort: ArtifactRef,
  open: (ref: ArtifactRef) => Promise<Pick<OpenArtifact, 'manifest'>>,
  { generator, run, report }: { generator: string; run?: string; report?: ArtifactRef | undefined },
): Promise<ExportOrigin> => {
  const lineage = await traceLineage([cohort], open, new Map([[cohort.digest, [generator]]]));
  const verdict = report && (await open(report)).manifest.summary['verdict'];
  return {
    generator,
    run,
    cohort: cohort.digest,
    report: report?.digest,
    verdict: verdict === undefined ? undefined : String(verdict),
    source: sourceOf(lineage),
    lineage,
  };
};
