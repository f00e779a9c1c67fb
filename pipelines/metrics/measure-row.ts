import type { Measure } from '../measure.ts';
import type { PartialRow } from '../metric.ts';

/** A clause as a sentence: capital first, full stop last. */
export const sentence = (clause: string): string =>
  `${clause.charAt(0).toUpperCase()}${clause.slice(1)}${clause.endsWith('.') ? '' : '.'}`;

/** A measure as a row; `more` adds what only the metric knows. */
export const measureRow = (
  row: Pick<PartialRow, 'row' | 'title' | 'about'>,
  { value, n, interval, note }: Measure,
  more: Partial<PartialRow> = {},
): PartialRow => ({
  ...row,
  value,
  n,
  ...(interval && { interval }),
  ...more,
  ...(note !== undefined && { note: sentence(note) }),
});
