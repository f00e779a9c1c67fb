import type { MetricRow, Scorecard, ScorecardSeries } from '../../schemas/scorecard.ts';
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import { patientCount, type VisitColumns, visitCount } from '../cohort/visit-columns.ts';
import type { Metric, PartialRow } from '../metric.ts';

/** The parties of a scoring. `real` is the training split; `holdout` are real patients no generator saw. */
export interface Scoring {
  generator: string;
  vocabulary: Vocabulary;
  real: VisitColumns;
  synthetic: VisitColumns;
  holdout: VisitColumns;
  metrics: readonly Metric[];
}

const sizeOf = (columns: VisitColumns) => ({ patients: patientCount(columns), visits: visitCount(columns) });

const complete = (
  metric: Metric,
  generator: string,
  row: PartialRow,
  holdout: PartialRow | undefined,
): MetricRow => ({
  metric: metric.name,
  family: metric.family,
  generator,
  better: metric.better,
  ...row,
  ...(holdout ? { holdout: holdout.value } : {}),
});

/**
 * Scores a synthetic cohort metric by metric, yielding each metric's name when it is done. Where there are
 * holdout patients every row also says what they get in the place of the synthetic ones.
 */
export function* scoreCohort(
  scoring: Scoring,
): Generator<string, { card: Scorecard; series: ScorecardSeries }> {
  const { generator, vocabulary, real, synthetic, holdout, metrics } = scoring;
  const card: Scorecard = {
    generator,
    cohorts: { real: sizeOf(real), synthetic: sizeOf(synthetic), holdout: sizeOf(holdout) },
    metrics: metrics.map(({ name, family, title, about, headline }) => ({
      metric: name,
      family,
      title,
      about,
      headline: headline ?? {},
    })),
    rows: [],
  };
  const series: ScorecardSeries = {};
  for (const metric of metrics) {
    const found = metric.compute({ vocabulary, real, synthetic });
    const other =
      patientCount(holdout) > 0 ? metric.compute({ vocabulary, real, synthetic: holdout }).rows : [];
    const byName = new Map(other.map((row) => [row.row, row]));
    for (const row of found.rows) card.rows.push(complete(metric, generator, row, byName.get(row.row)));
    if (found.series) series[metric.name] = found.series;
    yield metric.name;
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
