import { z } from 'zod';

/** One placed stage: everything the workflow needs to run it, as plain data. */
export const planNode = z.object({
  id: z.string(),
  stage: z.string(),
  params: z.json().describe('all defaults filled in'),
  inputs: z.record(z.string(), z.union([z.string(), z.array(z.string())])).describe('slot → node id or ids'),
  required: z.boolean().describe('the run fails if this node does; else only its branch is skipped'),
  policy: z.object({
    queue: z.enum(['cpu', 'gpu']),
    startToClose: z.string(),
    heartbeat: z.string(),
    attempts: z.int(),
  }),
});
export type PlanNode = z.output<typeof planNode>;

/** A compiled DAG. It is the workflow's argument, so the history itself records exactly what ran. */
export const plan = z.object({
  name: z.string(),
  nodes: z.array(planNode),
  nonRetryable: z.array(z.string()).describe('failure codes that no retry can help'),
});
export type Plan = z.output<typeof plan>;
