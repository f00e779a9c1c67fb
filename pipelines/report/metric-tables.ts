import type { MetricRow, Scorecard } from '../../schemas/scorecard.ts';
import { metricsIn } from './merged-cards.ts';

/** One row of a metric over all generators. */
export interface TableRow {
  row: string;
  title: string;
  about: string;
  better: MetricRow['better'];
  real: number | null;
  holdout: number | null;
  values: {
    generator: string;
    value: number | null;
    n: number;
    interval?: [number, number];
    note?: string;
  }[];
  /** Present where the row is about a group of patients (a label). */
  patients?: number;
}

export interface MetricTable {
  metric: string;
  family: MetricRow['family'];
  title: string;
  about: string;
  rows: TableRow[];
  /** Rows about groups of too few real patients, which are not shown. */
  leftOut: number;
}

const cellOf = ({ generator, value, n, interval, note }: MetricRow): TableRow['values'][number] => ({
  generator,
  value,
  n,
  ...(interval === undefined ? {} : { interval }),
  ...(note === undefined ? {} : { note }),
});

/** Every row of every metric, generators side by side, without rows about fewer than `enough` real patients. */
export const metricTables = (cards: readonly Scorecard[], enough: number): MetricTable[] => {
  const rowsOf = new Map<string, MetricRow[]>();
  for (const row of cards.flatMap((card) => card.rows)) {
    const key = JSON.stringify([row.metric, row.row]);
    rowsOf.set(key, [...(rowsOf.get(key) ?? []), row]);
  }
  return metricsIn(cards).map(({ metric, family, title, about }) => {
    const groups = [...rowsOf.values()].filter(([row]) => row?.metric === metric);
    const shown = groups.filter(([row]) => row?.patients === undefined || row.patients >= enough);
    const rows = shown.flatMap((group): TableRow[] => {
      const [first] = group;
      if (!first) return [];
      return [
        {
          row: first.row,
          title: first.title,
          about: first.about ?? '',
          better: first.better,
          real: first.real ?? null,
          holdout: first.holdout ?? null,
          values: group.map(cellOf),
          ...(first.patients === undefined ? {} : { patients: first.patients }),
        },
      ];
    });
    return { metric, family, title, about, rows, leftOut: groups.length - shown.length };
  });
};
