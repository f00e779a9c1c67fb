import { z } from 'zod';
import { artifactRef } from './artifact.ts';

/** Yielded by a stage body at every safe point, and sent as heartbeat detail. Aggregates only. */
export const progress = z.object({
  step: z.int().nonnegative(),
  of: z.int().positive(),
  phase: z.string().optional().describe('what is being done, for people: `epoch 3`, `LABEVENTS`'),
  metrics: z.record(z.string(), z.number()).optional(),
  part: z
    .object({
      names: z.array(z.string()).min(1).describe('all parts of the stage, in the order of the work'),
      index: z.int().nonnegative().describe('which of them is being worked on'),
      share: z.number().min(0).max(1).describe('how much of it is done'),
    })
    .optional()
    .describe('where a stage has parts of very different cost: time is measured and estimated part by part'),
});
export type Progress = z.output<typeof progress>;

/** What one stage activity hands back to the workflow. References and aggregates, never data. */
export const stageResult = z.object({
  ref: artifactRef,
  cached: z.boolean(),
  why: z.string().describe('why it was, or was not, answered from the cache'),
  summary: z.record(z.string(), z.union([z.number(), z.string()])),
});
export type StageResult = z.output<typeof stageResult>;

const nodeStates = ['waiting', 'running', 'done', 'cached', 'failed', 'skipped'] as const;

/** One node of a run, as the `status` query returns it. */
export const nodeStatus = z.object({
  id: z.string(),
  stage: z.string(),
  queue: z.string(),
  state: z.enum(nodeStates),
  result: stageResult.optional(),
  failure: z.object({ code: z.string(), message: z.string() }).optional(),
});
export type NodeStatus = z.output<typeof nodeStatus>;

/** What a run hands back: where each node's output is, and which nodes that were not required failed. */
export const runResult = z.object({
  refs: z.record(z.string(), artifactRef).describe('node id → its artifact'),
  failed: z.array(z.object({ id: z.string(), code: z.string() })),
});
export type RunResult = z.output<typeof runResult>;
