import { z } from 'zod';
import { artifactRef } from './artifact.ts';

/**
 * Where an input comes from: the output of another node, by its id, or an artifact that is in the store
 * already.
 */
const planInput = z.union([z.string(), artifactRef]);
export type PlanInput = z.output<typeof planInput>;

/** One placed stage: everything the workflow needs to run it, as plain data. */
export const planNode = z.object({
  id: z.string(),
  stage: z.string(),
  params: z.json().describe('all defaults filled in'),
  inputs: z
    .record(z.string(), z.union([planInput, z.array(planInput)]))
    .describe('slot → where it comes from: one, or a list'),
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
