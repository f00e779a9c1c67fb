import { z } from 'zod';

/** The least number of real patients that a group must have to be reported. */
export const suppressBelow = z
  .int()
  .nonnegative()
  .default(11)
  .describe(
    'groups of fewer real patients (those with a code, a label, a length) are left out of scorecards, plots and tables',
  );

/** Params of every stage that computes metrics. */
export const metricParams = z.object({
  branch: z
    .string()
    .optional()
    .describe('what the synthetic cohort is called in the scorecard; default: the generator that made it'),
  metrics: z.array(z.string()).optional().describe('names from `understudy metrics`; default: all'),
  options: z
    .record(z.string(), z.json())
    .default({})
    .describe('settings per metric, by name; see `understudy metrics NAME`'),
  replicates: z
    .int()
    .nonnegative()
    .default(200)
    .describe('resamples of patients behind each interval; 0: no intervals'),
  suppressBelow,
  seed: z.int().nonnegative().default(0).describe('of resampling, and of other random numbers of a metric'),
});
export type MetricParams = z.output<typeof metricParams>;
