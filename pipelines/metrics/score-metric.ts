import { z } from 'zod';
import { metricRow, metricSeries } from '../../schemas/scorecard.ts';
import { parseWholeConfig } from '../kernel/parse-config.ts';
import { type AsyncSteps, asyncPhase } from '../kernel/steps.ts';
import { patientCount } from '../patients/visit-columns.ts';
import type {
  Computation,
  Metric,
  MetricInput,
  MetricNeed,
  MetricResult,
  PartialRow,
  ScoredRow,
} from './metric.ts';
import { suppressedRow, suppressedSeries } from './small-groups.ts';
import { divide } from './statistics/samples.ts';

/** What a metric computed: complete rows, the data of its plots, and what metrics that sum up need of it. */
export const scoredMetric = z.object({
  rows: z.array(metricRow.omit({ generator: true })),
  series: metricSeries,
  permuted: z
    .record(z.string(), z.object({ auc: z.array(z.number()), fewFalsePositives: z.array(z.number()) }))
    .optional(),
});
export type ScoredMetric = z.output<typeof scoredMetric>;

const needNames: Record<MetricNeed, string> = {
  train: 'real training patients',
  validation: 'validation patients',
  holdout: 'real holdout patients',
  synthetic: 'synthetic patients',
  model: 'the fitted model',
  rows: 'the other metrics of its family',
};

const isAvailable = (input: MetricInput, need: MetricNeed): boolean => {
  if (need === 'model') return input.model !== undefined;
  return need === 'rows' ? input.rows.length > 0 : patientCount(input[need]) > 0;
};

async function* settled(computation: Computation): AsyncSteps<MetricResult> {
  return 'rows' in computation ? computation : yield* computation;
}

/** What stands in for the synthetic cohort in the second computation; undefined where there is none. */
const standIn = (metric: Metric, input: MetricInput): MetricInput | undefined => {
  const { holdout, seed } = input;
  const count = patientCount(holdout);
  if (metric.reference === 'holdout' && count > 0) return { ...input, synthetic: holdout };
  if (metric.reference !== 'halves' || count < 2) return undefined;
  const [synthetic, rest] = divide(holdout, count >> 1, seed, 'synthetic');
  return { ...input, synthetic, holdout: rest };
};

/** What values are possible, as JSON holds it: it has no infinity, so an open end is null. */
export const openEnded = ([least, greatest]: readonly [number | null, number | null]): [
  number | null,
  number | null,
] => [
  least !== null && Number.isFinite(least) ? least : null,
  greatest !== null && Number.isFinite(greatest) ? greatest : null,
];

const complete = ({ name, family, better }: Metric, row: PartialRow): PartialRow & ScoredRow => ({
  metric: name,
  family,
  better,
  ...row,
  ...(row.range && { range: openEnded(row.range) }),
});

/** Rows that say why nothing was computed: the metric's headline rows, or one with its title. */
const unmet = (metric: Metric, missing: MetricNeed[]): ScoredRow[] => {
  const note = `Missing: ${missing.map((need) => needNames[need]).join(' and ')}.`;
  const rows = Object.keys(metric.headline ?? { value: metric.title });
  return rows.map((row) => complete(metric, { row, title: metric.title, value: null, n: 0, note }));
};

/**
 * A metric's settings with its own defaults. Throws InvalidConfig, also for settings that it does not have.
 */
export const metricOptions = (
  { name, family, options = z.object({}) }: Metric,
  given: unknown = {},
): unknown => parseWholeConfig(options, given, `${family}.options.${name}`);

/**
 * Computes one metric: on the synthetic cohort, and where its `reference` asks for it on real patients in its
 * place, whose values become the rows' `holdout`, with their intervals. A metric whose needs are not met
 * gives rows with a sentence. What is about fewer real patients than `suppressBelow` is suppressed, see
 * small-groups.ts.
 */
export async function* scoreMetric(
  metric: Metric,
  input: MetricInput,
  suppressBelow: number,
): AsyncSteps<ScoredMetric> {
  const missing = metric.needs.filter((need) => !isAvailable(input, need));
  if (missing.length > 0) return { rows: unmet(metric, missing), series: {} };
  const reference = standIn(metric, input);
  const phases = reference ? 2 : 1;
  const {
    rows,
    series = {},
    permuted,
  } = yield* asyncPhase(metric.name, 0, phases, settled(metric.compute(input)));
  const other = reference
    ? yield* asyncPhase(`${metric.name}, real patients`, 1, phases, settled(metric.compute(reference)))
    : undefined;
  const standIns = new Map(other?.rows.map((row) => [row.row, row]));
  return {
    rows: rows.map((row) => suppressedRow(complete(metric, row), standIns.get(row.row), suppressBelow)),
    series: suppressedSeries(series, suppressBelow),
    permuted,
  };
}
