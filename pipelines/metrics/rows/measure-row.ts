import type { PartialRow } from '../metric.ts';
import type { Measure } from '../statistics/measure.ts';

/** A clause as a sentence: capital first, full stop last. */
export const sentence = (clause: string): string =>
  `${clause.charAt(0).toUpperCase()}${clause.slice(1)}${clause.endsWith('.') ? '' : '.'}`;

/** The value of real patients that no generator was trained on, with its interval. */
export const heldOut = ({ value, interval }: Measure): Pick<PartialRow, 'holdout' | 'holdoutInterval'> => ({
  holdout: value,
  holdoutInterval: interval,
});

/** A measure as a row; `more` adds what only the metric knows. */
export const measureRow = (
  row: Pick<PartialRow, 'row' | 'title' | 'about'>,
  { value, n, interval, note, unresolved }: Measure,
  more: Partial<PartialRow> = {},
): PartialRow => ({
  ...row,
  value,
  n,
  interval,
  unresolved,
  ...more,
  note: note === undefined ? more.note : sentence(note),
});

/**
 * The HALO code drops synthetic patients without visits before it counts (evaluate_datasets.py lines 17–27).
 * We keep them, because they are part of the cohort that is delivered, and give the published numbers as rows
 * whose names begin with `reference-`.
 */
export const referenceNote =
  'Computed as in the HALO code: synthetic patients without a visit are left out first.';
