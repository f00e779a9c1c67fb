import type { Bodies } from '../../activities/index.ts';
import { startLocalRun } from '../../infra/local/local-run.ts';
import { inThisProcess } from '../../infra/local/stage-attempt.ts';
import { createLog } from '../../infra/log.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Store } from '../../schemas/store.ts';

/** Runs a plan to its end as `run --local` does, and returns each node's output. Throws when a node has none. */
export const runPlanHere = async (
  store: Store,
  plan: Plan,
  bodies?: Bodies,
): Promise<Record<string, ArtifactRef>> => {
  const real = async () => (await import('../../activities/bodies.ts')).bodies;
  const tools = { store, bodies: bodies ?? (await real()), log: createLog('fatal'), backend: 'test' };
  const { nodes } = await startLocalRun(plan, 'test-run', inThisProcess(tools)).ended;
  return Object.fromEntries(
    nodes.map(({ id, result, failure }) => {
      if (!result) throw new Error(`${id}: ${failure?.code}: ${failure?.message}`);
      return [id, result.ref];
    }),
  );
};
