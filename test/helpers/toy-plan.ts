import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DagBuilder } from '../../pipelines/plan/dag.ts';
import { nightly } from '../../pipelines/plan/nightly.ts';
import { nonRetryableCodes } from '../../schemas/errors.ts';
import type { Plan, PlanInput } from '../../schemas/plan.ts';
import { runConfig } from '../../schemas/run-config.ts';

/** A plan as tests want it: a death is noticed within seconds. */
export const impatient = (plan: Plan, heartbeat = '6s'): Plan => ({
  ...plan,
  nodes: plan.nodes.map((node) => ({ ...node, policy: { ...node.policy, heartbeat } })),
});

/** A plan less the nodes of some stages; lists that read them do without. */
export const without = (plan: Plan, stages: string[]): Plan => {
  const gone = new Set(plan.nodes.filter(({ stage }) => stages.includes(stage)).map(({ id }) => id));
  const spared = (from: PlanInput | PlanInput[]) =>
    Array.isArray(from) ? from.filter((input) => typeof input !== 'string' || !gone.has(input)) : from;
  return {
    ...plan,
    nodes: plan.nodes
      .filter(({ id }) => !gone.has(id))
      .map((node) => ({
        ...node,
        inputs: Object.fromEntries(Object.entries(node.inputs).map(([slot, from]) => [slot, spared(from)])),
      })),
  };
};

/** The nightly DAG over toy bodies: generator name → toy training config. Saved at every step unless told otherwise; `from`: models. */
export const toyPlan = (
  source: string,
  configs: Record<string, Record<string, number>>,
  checkpointEvery = 0,
  from: Record<string, string> = {},
): Plan => {
  const generators = Object.entries(configs).map(([name, config]) => ({ name, config, from: from[name] }));
  const builder = new DagBuilder();
  nightly.build(builder, runConfig.parse({ source, generators, checkpointEvery }));
  return impatient({ name: 'toy', nodes: builder.nodes, nonRetryable: nonRetryableCodes });
};

/** The one table that toy bodies read. */
export const toySource = async (folder: string, rows = 'rows'): Promise<string> => {
  const source = join(folder, 'source');
  await mkdir(source, { recursive: true });
  await writeFile(join(source, 'rows.txt'), rows);
  return source;
};
