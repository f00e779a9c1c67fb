import type { Modality } from '../schemas/ehr.ts';
import type { MetricRow } from '../schemas/scorecard.ts';
import type { Vocabulary } from '../schemas/vocabulary.ts';
import type { VisitColumns } from './cohort/visit-columns.ts';

/** What a similarity metric compares. Both cohorts speak the same vocabulary. */
export interface Comparison {
  vocabulary: Vocabulary;
  real: VisitColumns;
  synthetic: VisitColumns;
}

/** A row before the runner adds metric, family and generator. */
export type PartialRow = Pick<MetricRow, 'row' | 'title' | 'value' | 'n'> &
  Partial<Pick<MetricRow, 'real' | 'interval' | 'better' | 'note' | 'about' | 'patients'>>;

/** A plot's data: equally long columns. Tokens index the vocabulary. */
export type Series = Record<string, number[] | string[]>;

/** A function from cohorts to numbers. One file in pipelines/metrics/<family>, found by its name. */
export interface Metric {
  /** Must equal the file name. */
  name: string;
  family: MetricRow['family'];
  title: string;
  /** What the number means, in one plain sentence, and where it is defined. */
  about: string;
  better: MetricRow['better'];
  range: [number, number];
  /** The few rows that lead the leaderboard: row name → column heading. */
  headline?: Record<string, string>;
  modality?: Modality;
  compute(comparison: Comparison): { rows: PartialRow[]; series?: Record<string, Series> };
}

export const defineMetric = (metric: Metric): Metric => metric;
