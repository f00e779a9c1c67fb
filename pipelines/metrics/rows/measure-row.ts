import type { PartialRow } from '../metric.ts';
import type { Measure } from '../statistics/measure.ts';

/** A clause as a sentence: capital first, full stop last. */
export const sentence = (clause: string): string =>
  `${clause.charAt(0).toUpperCase()}${clause.slice(1)}${clause.endsWith('.') ? '' : '.'}`;

/** The value of real patients nobody trained on, with its interval. */
export const heldOut = ({ value, interval }: Measure): Pick<PartialRow, 'holdout' | 'holdoutInterval'> => ({
  holdout: value,
  ...(interval && { holdoutInterval: interval }),
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
  ...(interval && { interval }),
  ...(unresolved && { unresolved }),
  ...more,
  ...(note !== undefined && { note: sentence(note) }),
});
