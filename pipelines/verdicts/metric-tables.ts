import type { MetricRow, Scorecard } from '../../schemas/scorecard.ts';
import { metricsIn } from './merged-cards.ts';
import { byFamily } from './ranking.ts';

/** What values are possible; null where there is no end. */
export type Range = [number | null, number | null];

/** One generator's value of a row. */
export interface Cell {
  generator: string;
  value: number | null;
  n: number;
  interval?: [number, number];
  /** Probability of as strong a result without a leak, by permutation. */
  pValue?: number;
  note?: string;
  /** Too few patients for the value to be compared with a limit. */
  unresolved?: true;
}

/** One row of a metric over all generators. */
export interface TableRow {
  row: string;
  title: string;
  about: string;
  better: MetricRow['better'];
  range?: Range;
  real: number | null;
  holdout: number | null;
  holdoutInterval?: [number, number];
  values: Cell[];
  /** Present where the row is about a group of patients (a label). */
  patients?: number;
}

export interface MetricTable {
  metric: string;
  family: MetricRow['family'];
  title: string;
  about: string;
  range?: Range;
  rows: TableRow[];
  /** Rows about groups of too few real patients, which are not shown. */
  leftOut: number;
}

const cellOf = ({ generator, value, n, interval, pValue, note, unresolved }: MetricRow): Cell => ({
  generator,
  value,
  n,
  ...(interval === undefined ? {} : { interval }),
  ...(pValue === undefined ? {} : { pValue }),
  ...(note === undefined ? {} : { note }),
  ...(unresolved && { unresolved }),
});

const rowOf = (first: MetricRow, group: readonly MetricRow[]): TableRow => ({
  row: first.row,
  title: first.title,
  about: first.about ?? '',
  better: first.better,
  ...(first.range === undefined ? {} : { range: first.range }),
  real: first.real ?? null,
  holdout: first.holdout ?? null,
  ...(first.holdoutInterval && { holdoutInterval: first.holdoutInterval }),
  values: group.map(cellOf),
  ...(first.patients === undefined ? {} : { patients: first.patients }),
});

/** Whether a row is about enough real patients; a row that the scorecard suppresses is not. */
export const isReported = ({ suppressed, patients }: MetricRow, enough: number): boolean =>
  !suppressed && (patients === undefined || patients >= enough);

/**
 * Every row of every metric, family by family, generators side by side, without rows about fewer than
 * `enough` real patients.
 */
export const metricTables = (cards: readonly Scorecard[], enough: number): MetricTable[] => {
  const rowsOf = new Map<string, MetricRow[]>();
  for (const row of cards.flatMap((card) => card.rows)) {
    const key = JSON.stringify([row.metric, row.row]);
    rowsOf.set(key, [...(rowsOf.get(key) ?? []), row]);
  }
  return byFamily(metricsIn(cards)).map(({ metric, family, title, about, range }) => {
    const groups = [...rowsOf.values()].filter(([row]) => row?.metric === metric);
    const shown = groups.filter((group) => group.some((row) => isReported(row, enough)));
    return {
      metric,
      family,
      title,
      about,
      ...(range === undefined ? {} : { range }),
      rows: shown.flatMap((group) => (group[0] ? [rowOf(group[0], group)] : [])),
      leftOut: groups.length - shown.length,
    };
  });
};

/** A row of the tables by its name, where there is one. */
export const tableRow = (tables: readonly MetricTable[], metric: string, row: string): TableRow | undefined =>
  tables.find((table) => table.metric === metric)?.rows.find((candidate) => candidate.row === row);

/** One generator's value of a row, where it has one. */
export const cellOfGenerator = (row: TableRow | undefined, generator: string): Cell | undefined =>
  row?.values.find((cell) => cell.generator === generator);

/** Whether a row repeats a published computation where ours differs; such rows are no headlines. */
export const isReference = ({ row }: Pick<TableRow, 'row'>): boolean => row.startsWith('reference-');
