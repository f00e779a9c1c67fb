import type { Scorecard, ScorecardSeries } from '../../schemas/scorecard.ts';
import { type AsyncSteps, asyncParts } from '../kernel/steps.ts';
import { inContentOrder } from '../patients/content-order.ts';
import { patientCount, type VisitColumns, visitCount } from '../patients/visit-columns.ts';
import type { Metric, MetricInput, Permuted } from './metric.ts';
import { metricOptions, openEnded, type ScoredMetric, scoreMetric } from './score-metric.ts';
import { sharedPatients } from './shared-patients.ts';

/** The parties of a scoring, and what is to be computed. */
export interface Scoring extends Omit<MetricInput, 'rows' | 'permuted' | 'options'> {
  generator: string;
  metrics: readonly Metric[];
  /** The training patients the generator has learned from, where these are not all of `train`. */
  learned?: VisitColumns;
  /** Groups of fewer real patients are suppressed. */
  suppressBelow: number;
  /** Settings by metric name; what is not given has the default of the metric's own schema. */
  options?: Readonly<Record<string, unknown>>;
}

/** Computes a metric, or returns its earlier result. Not used for metrics that need `rows`. */
export type Keep = (
  metric: Metric,
  options: unknown,
  compute: () => AsyncSteps<ScoredMetric>,
) => AsyncSteps<ScoredMetric>;

const computeAlways: Keep = (_metric, _options, compute) => compute();

const sizeOf = (columns: VisitColumns) => ({ patients: patientCount(columns), visits: visitCount(columns) });

const needsRows = ({ needs }: Metric): boolean => needs.includes('rows');

/**
 * Attacks and the model's own scores are about the patients a model was fitted to; all else is about what the
 * data are like.
 */
const dependsOnTrainingPatients = ({ family, needs }: Metric): boolean =>
  family === 'privacy' || needs.includes('model');

/**
 * Scores a synthetic cohort metric by metric; those that sum up the others come last. The order of the
 * patients in a cohort has no influence on anything.
 */
export async function* scoreCohort(
  scoring: Scoring,
  keep: Keep = computeAlways,
): AsyncSteps<{ card: Scorecard; series: ScorecardSeries }> {
  const { generator, metrics, options: given = {}, suppressBelow, learned, ...rest } = scoring;
  const [train, validation, holdout, synthetic] = [
    scoring.train,
    scoring.validation,
    scoring.holdout,
    scoring.synthetic,
  ].map(inContentOrder) as [VisitColumns, VisitColumns, VisitColumns, VisitColumns];
  const cohorts = { ...rest, train, validation, holdout, synthetic };
  const asFitted = learned ? { ...cohorts, train: inContentOrder(learned) } : cohorts;
  const ordered = [...metrics.filter((m) => !needsRows(m)), ...metrics.filter(needsRows)];
  const card: Scorecard = {
    generator,
    cohorts: {
      ...{ real: sizeOf(train), synthetic: sizeOf(synthetic), holdout: sizeOf(holdout) },
      shared: sharedPatients(train, holdout, synthetic, suppressBelow),
    },
    metrics: ordered.map(({ name, family, title, about, range, headline = {} }) => ({
      metric: name,
      family,
      title,
      about,
      range: openEnded(range),
      headline,
    })),
    rows: [],
  };
  const names = ordered.map(({ name }) => name);
  const series: ScorecardSeries = {};
  const permuted: Record<string, Permuted> = {};
  for (const [index, metric] of ordered.entries()) {
    const options = metricOptions(metric, given[metric.name]);
    const parties = dependsOnTrainingPatients(metric) ? asFitted : cohorts;
    const others = needsRows(metric) ? { rows: card.rows, permuted } : { rows: [] };
    const compute = () => scoreMetric(metric, { ...parties, options, ...others }, suppressBelow);
    const work = needsRows(metric) ? compute() : keep(metric, options, compute);
    const found = yield* asyncParts(names, index, work);
    for (const row of found.rows) card.rows.push({ ...row, generator });
    if (found.permuted) permuted[metric.name] = found.permuted;
    if (Object.keys(found.series).length > 0) series[metric.name] = found.series;
  }
  return { card, series };
}

/** The rows that lead the leaderboard, by their column headings. */
export const headlineOf = (card: Scorecard): Record<string, number | null> =>
  Object.fromEntries(
    card.metrics.flatMap(({ metric, headline }) =>
      Object.entries(headline).map(([row, heading]) => [
        heading,
        card.rows.find((r) => r.metric === metric && r.row === row)?.value ?? null,
      ]),
    ),
  );
