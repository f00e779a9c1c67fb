import { z } from 'zod';

export const families = ['similarity', 'utility', 'privacy'] as const;

/** One number about one synthetic cohort, or the sentence that says why there is none. */
export const metricRow = z.object({
  metric: z.string().describe('registry name; one metric may give several rows'),
  row: z.string().describe('unique within the metric: `r2`, `mean`, a label name'),
  family: z.enum(families),
  title: z.string(),
  generator: z.string(),
  value: z.number().nullable(),
  real: z.number().nullable().optional().describe('the same quantity of the real cohort, where there is one'),
  n: z.int().describe('how many patients, pairs or codes the value is computed over'),
  interval: z.tuple([z.number(), z.number()]).optional(),
  better: z.enum(['higher', 'lower', 'closer-to-real']),
  note: z.string().optional().describe('why the value is missing, or what to mind'),
});
export type MetricRow = z.output<typeof metricRow>;

export const scorecard = z.object({
  generator: z.string(),
  rows: z.array(metricRow),
});
export type Scorecard = z.output<typeof scorecard>;
