import { z } from 'zod';

export const families = ['similarity', 'utility', 'privacy'] as const;

/** Least and greatest possible value; null where there is no end. */
const range = z.tuple([z.number().nullable(), z.number().nullable()]);

/** One number about one synthetic cohort, or a sentence why there is none. */
export const metricRow = z.object({
  metric: z.string().describe('registry name; one metric may give several rows'),
  row: z.string().describe('unique within the metric: `r2`, `mean`, a label name'),
  family: z.enum(families),
  title: z.string(),
  generator: z.string().describe('as in the scorecard'),
  value: z.number().nullable(),
  about: z.string().optional().describe('what the number means, in one plain sentence'),
  real: z.number().nullable().optional().describe('the same quantity of the real cohort, where there is one'),
  holdout: z
    .number()
    .nullable()
    .optional()
    .describe('the same with the real holdout patients in place of the synthetic ones'),
  holdoutInterval: z
    .tuple([z.number(), z.number()])
    .optional()
    .describe('95 % of `holdout`, by resampling patients'),
  n: z.int().describe('how many patients, pairs or codes the value is computed over'),
  interval: z.tuple([z.number(), z.number()]).optional().describe('95 %, by resampling patients'),
  pValue: z
    .number()
    .optional()
    .describe('probability of as strong a result without a leak, by permuting members and non-members'),
  better: z.enum(['higher', 'lower', 'closer-to-real']),
  range: range.optional().describe('what values are possible, where it is not the range of the metric'),
  patients: z
    .int()
    .optional()
    .describe('real patients of the group the row is about; groups that are too small are suppressed'),
  suppressed: z
    .literal(true)
    .optional()
    .describe('the value is about too few patients to be reported; only the description of the row is left'),
  unresolved: z
    .literal(true)
    .optional()
    .describe('too few patients to compare the value with a limit; the note states which patients'),
  note: z.string().optional().describe('why the value is missing, or what to mind'),
});
export type MetricRow = z.output<typeof metricRow>;

/** How many patients and visits a cohort of the comparison has. */
const size = z.object({ patients: z.int(), visits: z.int() });

/** Whole records that stand on two sides; a count that is too small to be shown is null. */
const shared = z.object({
  holdoutInTraining: z
    .int()
    .nullable()
    .describe('holdout patients whose whole record a training patient has'),
  of: z.int().describe('holdout patients with a code'),
  byChance: z
    .number()
    .nullable()
    .describe('how many of them chance explains: training patients have twins as often'),
  isInTraining: z
    .boolean()
    .describe(
      'certainly more than by chance: the holdout is no holdout, and checks that need strangers are inconclusive',
    ),
  isInSynthetic: z
    .boolean()
    .describe(
      'synthetic patients repeat holdout patients certainly more often than training patients: likewise',
    ),
});

/** Which cohorts were compared, and every number of it. `metrics` describes the metrics of the rows. */
export const scorecard = z.object({
  generator: z
    .string()
    .describe('name of the synthetic cohort: of its branch in a run, else of the generator that made it'),
  baseline: z
    .literal(true)
    .optional()
    .describe('the cohort comes from a baseline generator that learned from all training patients'),
  cohorts: z.object({
    real: size,
    synthetic: size,
    holdout: size,
    shared: shared.optional().describe('holdout patients who are no strangers; absent without a holdout'),
  }),
  metrics: z.array(
    z.object({
      metric: z.string(),
      family: z.enum(families),
      title: z.string(),
      about: z.string(),
      range: range.optional(),
      headline: z.record(z.string(), z.string()).describe('row → column heading of the leaderboard'),
    }),
  ),
  rows: z.array(metricRow),
});
export type Scorecard = z.output<typeof scorecard>;

/** The data of one metric's plots: plot → columns of equal length. Tokens index the vocabulary. */
export const metricSeries = z.record(
  z.string(),
  z.record(z.string(), z.union([z.array(z.number()), z.array(z.string())])),
);

/** `series.json` beside it, by metric. */
export const scorecardSeries = z.record(z.string(), metricSeries);
export type ScorecardSeries = z.output<typeof scorecardSeries>;
