import type { PartialRow, ScoredRow, Series } from './metric.ts';
import { lengthBins } from './statistics/length-bins.ts';

/**
 * Small groups: what is about fewer real patients than `below` is suppressed in every row and plot before a
 * scorecard is written. A group is a set of patients selected by a code, a pair, a label, a rule or a length.
 * Rates over a whole cohort (copies, attacks) are no groups, however few patients are found. The report
 * applies the same limit to the groups that it forms itself, such as bars and label plots.
 */
const isSmall = (count: number, below: number): boolean => count > 0 && count < below;

/** A count in a sentence: `fewer than 11` where it is a small one. */
export const suppressedCount = (count: number, below: number): string =>
  isSmall(count, below) ? `fewer than ${below}` : `${count}`;

const reason = (below: number): string => `Suppressed: fewer than ${below} patients are behind it.`;

const holdoutReason = (below: number): string => `The holdout’s value: ${reason(below)}`;

const withoutValue = (
  { metric, row, family, title, about, better, range }: ScoredRow,
  below: number,
): ScoredRow => ({
  metric,
  row,
  family,
  title,
  about,
  better,
  range,
  value: null,
  n: 0,
  suppressed: true,
  note: reason(below),
});

const withNote = (row: ScoredRow, note: string): ScoredRow => ({
  ...row,
  note: row.note === undefined ? note : `${row.note} ${note}`,
});

/** Whether a row must be suppressed as a whole. */
const isSmallRow = ({ patients, n, nIs }: PartialRow, below: number): boolean =>
  (patients !== undefined && patients < below) || (nIs !== 'keys' && isSmall(n, below));

/**
 * A row as it may be written. `standIn` is the same row with real patients in the place of the synthetic
 * ones, whose value becomes `holdout`. What is suppressed is null or absent, with a note; the row
 * itself stays.
 */
export const suppressedRow = (
  { nIs, behind, ...row }: ScoredRow & Pick<PartialRow, 'nIs' | 'behind'>,
  standIn: PartialRow | undefined,
  below: number,
): ScoredRow => {
  if (isSmallRow({ ...row, nIs }, below)) return withoutValue(row, below);
  let written: ScoredRow = row;
  if (row.real !== undefined && behind && isSmall(behind.real, below))
    written = withNote({ ...written, real: null }, `The real cohort’s value: ${reason(below)}`);
  const { holdoutInterval, ...rest } = written;
  if (row.holdout !== undefined && isSmall(behind?.holdout ?? 0, below))
    return withNote({ ...rest, holdout: null }, holdoutReason(below));
  if (standIn === undefined) return written;
  const few = isSmallRow(standIn.value === null ? { ...standIn, n: 0 } : standIn, below);
  if (few || isSmall(standIn.behind?.judged ?? 0, below))
    return withNote({ ...rest, holdout: null }, holdoutReason(below));
  return { ...rest, holdout: standIn.value, holdoutInterval: standIn.interval };
};

const numbers = (series: Series, column: string): number[] => (series[column] ?? []).map(Number);

/** Lengths taken together until enough patients stand behind each bar, as shares of each side. */
const binned = (series: Series, below: number): Series => {
  const [real, synthetic, patients] = ['real', 'synthetic', 'patients'].map((name) =>
    numbers(series, name),
  ) as [number[], number[], number[]];
  const bins = lengthBins({ real, synthetic, patients }, below);
  return {
    label: bins.map(({ label }) => label),
    real: bins.map((bin) => bin.real),
    synthetic: bins.map((bin) => bin.synthetic),
  };
};

/** Neighbors taken together until enough patients, each counted once a bar, stand behind each. */
const pooled = (series: Series, below: number): Series => {
  const columns = Object.keys(series);
  const rows: number[][] = [];
  const size = (row: readonly number[] | undefined) => row?.[columns.indexOf('patients')] ?? 0;
  const join = (a: readonly number[], b: readonly number[]) =>
    a.map((value, i) => (columns[i] === 'from' ? value : value + (b[i] as number)));
  for (const at of numbers(series, 'from').keys()) {
    const row = columns.map((column) => Number(series[column]?.[at]));
    const last = rows.at(-1);
    if (last && size(last) < below) rows.splice(-1, 1, join(last, row));
    else rows.push(row);
  }
  const [before, last] = rows.slice(-2);
  if (before && last && size(last) < below) rows.splice(-2, 2, join(before, last));
  return Object.fromEntries(columns.map((column, i) => [column, rows.map((row) => row[i] as number)]));
};

const chosen = (column: number[] | string[], kept: readonly number[]): number[] | string[] =>
  typeof column[0] === 'string' ? kept.map((i) => String(column[i])) : kept.map((i) => Number(column[i]));

/** The series that counts how many points each of a metric's plots lacks. */
export const leftOutPlot = 'left-out';

/**
 * Plots as they may be written: lengths and ranges in an order are taken together, other points that too few
 * real patients stand behind (column `patients`) are gone, and `left-out` counts them by plot.
 */
export const suppressedSeries = (plots: Record<string, Series>, below: number): Record<string, Series> => {
  const written: Record<string, Series> = {};
  const plot: string[] = [];
  const count: number[] = [];
  for (const [name, series] of Object.entries(plots)) {
    if (!series['patients']) written[name] = series;
    else if (series['length']?.every((length) => typeof length === 'number'))
      written[name] = binned(series, below);
    else if (series['from']) written[name] = pooled(series, below);
    else {
      const patients = numbers(series, 'patients');
      const kept = [...patients.keys()].filter((i) => (patients[i] as number) >= below);
      written[name] = Object.fromEntries(
        Object.entries(series).map(([column, values]) => [column, chosen(values, kept)]),
      );
      if (kept.length === patients.length) continue;
      plot.push(name);
      count.push(patients.length - kept.length);
    }
  }
  return plot.length === 0 ? written : { ...written, [leftOutPlot]: { plot, count } };
};
