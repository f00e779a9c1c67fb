import type { MetricTable, TableRow } from '../verdicts/metric-tables.ts';

/** What some rows of one metric mean; rows with the same meaning for different labels share one. */
export interface Definition {
  id: string;
  rows: TableRow[];
}

const meaning = ({ row, about, better, range }: TableRow): string =>
  JSON.stringify(about === '' ? [row] : [about, better, range ?? null]);

/** The definitions of a metric, in the order of its rows. */
export const definitionsOf = ({ metric, rows }: MetricTable): Definition[] => {
  const groups = new Map<string, TableRow[]>();
  for (const row of rows) groups.set(meaning(row), [...(groups.get(meaning(row)) ?? []), row]);
  return [...groups.values()].map((group, i) => ({ id: `define-${metric}-${i + 1}`, rows: group }));
};

/** Where on the page a row is defined; the metric itself, if the row is not shown. */
export const definitionOf = (tables: readonly MetricTable[], metric: string, row: string): string => {
  const table = tables.find((candidate) => candidate.metric === metric);
  const found = table && definitionsOf(table).find(({ rows }) => rows.some((shown) => shown.row === row));
  return found?.id ?? `define-${metric}`;
};
