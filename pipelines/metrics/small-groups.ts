import type { PartialRow, Parts, ScoredRow, Series } from './metric.ts';
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

const partsReason = (below: number): string =>
  `Suppressed: with the groups that are reported, it would give those of fewer than ${below} patients back.`;

/**
 * Whether a mean, beside the groups that are reported, gives the suppressed ones back: there are no more of
 * them than rows to solve them from, or all of them together are a small group (complementary suppression:
 * Willenborg and de Waal, Elements of Statistical Disclosure Control, 2001). `countOf` is the number of
 * patients that decides whether a group is suppressed, undefined where none does.
 */
const isSolvable = (
  { groups, rows }: Parts,
  below: number,
  countOf: (group: Parts['groups'][number]) => number | undefined,
): boolean => {
  const small = groups.map(countOf).filter((count) => count !== undefined);
  const together = small.reduce((sum, count) => sum + count, 0);
  return small.length > 0 && (small.length <= rows || isSmall(together, below));
};

type Group = Parts['groups'][number];
const smallGroup =
  (below: number) =>
  ({ patients }: Group): number | undefined =>
    patients !== undefined && patients < below ? patients : undefined;
/** A group whose row is reported without one of its values. */
const smallValue =
  (below: number, of: 'real' | 'judged' | 'holdout') =>
  (group: Group): number | undefined => {
    const count = group.behind?.[of] ?? 0;
    return smallGroup(below)(group) ?? (isSmall(count, below) ? count : undefined);
  };

const withoutValue = (
  { metric, row, family, title, about, better, range }: ScoredRow,
  note: string,
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
  note,
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
  { nIs, behind, parts, ...row }: ScoredRow & Pick<PartialRow, 'nIs' | 'behind' | 'parts'>,
  standIn: PartialRow | undefined,
  below: number,
): ScoredRow => {
  if (isSmallRow({ ...row, nIs }, below)) return withoutValue(row, reason(below));
  if (row.value !== null && parts && isSolvable(parts, below, smallGroup(below)))
    return withoutValue(row, partsReason(below));
  let written: ScoredRow = row;
  const isSolvableReal = parts !== undefined && isSolvable(parts, below, smallValue(below, 'real'));
  if (row.real !== undefined && ((behind && isSmall(behind.real, below)) || isSolvableReal))
    written = withNote(
      { ...written, real: null },
      `The real cohort’s value: ${isSolvableReal ? partsReason(below) : reason(below)}`,
    );
  const { holdoutInterval, ...rest } = written;
  if (row.holdout !== undefined && isSmall(behind?.holdout ?? 0, below))
    return withNote({ ...rest, holdout: null }, holdoutReason(below));
  if (standIn === undefined) return written;
  const few = isSmallRow(standIn.value === null ? { ...standIn, n: 0 } : standIn, below);
  if (few || isSmall(standIn.behind?.judged ?? 0, below))
    return withNote({ ...rest, holdout: null }, holdoutReason(below));
  if (standIn.parts && isSolvable(standIn.parts, below, smallValue(below, 'judged')))
    return withNote({ ...rest, holdout: null }, `The holdout’s value: ${partsReason(below)}`);
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
