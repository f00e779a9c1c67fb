import type { MetricRow, Scorecard } from '../../schemas/scorecard.ts';
import { metricsIn } from './merged-cards.ts';

/** One column of the leaderboard. `values` follow the order of the cards. */
export interface Headline {
  metric: string;
  row: string;
  family: MetricRow['family'];
  heading: string;
  title: string;
  about: string;
  better: MetricRow['better'];
  values: { generator: string; value: number | null; interval?: [number, number]; note?: string }[];
  real: number | null;
  holdout: number | null;
}

const rowOf = (card: Scorecard, metric: string, row: string): MetricRow | undefined =>
  card.rows.find((candidate) => candidate.metric === metric && candidate.row === row);

/** Families in the order of the leaderboard; the metrics of each stay in theirs. */
const familyOrder: readonly MetricRow['family'][] = ['similarity', 'utility', 'privacy'];

export const byFamily = <T extends { family: MetricRow['family'] }>(items: readonly T[]): T[] =>
  familyOrder.flatMap((family) => items.filter((item) => item.family === family));

/** What readers look for first: the papers' three agreements, and the attack that sums up the others. */
const lookedForFirst = ['code-pairs', 'code-prevalence', 'sequential-pairs', 'strongest-attack'];

const leadingFirst = (metrics: Scorecard['metrics']): Scorecard['metrics'] => [
  ...lookedForFirst.flatMap((name) => metrics.filter(({ metric }) => metric === name)),
  ...metrics.filter(({ metric }) => !lookedForFirst.includes(metric)),
];

/** The headline rows that the cards name, family by family, each with every generator's value. */
export const headlines = (cards: readonly Scorecard[]): Headline[] =>
  byFamily(leadingFirst(metricsIn(cards))).flatMap(({ metric, family, headline }) =>
    Object.entries(headline).flatMap(([row, heading]): Headline[] => {
      const first = cards.map((card) => rowOf(card, metric, row)).find((found) => found !== undefined);
      if (!first) return [];
      const values = cards.map((card) => {
        const { value = null, interval, note } = rowOf(card, metric, row) ?? {};
        return { generator: card.generator, value, ...(interval && { interval }), ...(note && { note }) };
      });
      const { title, about = '', better, real = null, holdout = null } = first;
      return [{ metric, row, family, heading, title, about, better, values, real, holdout }];
    }),
  );

/**
 * Same-visit co-occurrence is what a generator must learn: the baseline has single codes, lengths and labels
 * right.
 */
export const leading = { metric: 'code-pairs', row: 'record-r2' };

/**
 * Cards from best to worst by same-visit co-occurrence R²; those without it come last, equal ones keep their
 * order.
 */
export const ranked = <T extends { card: Scorecard }>(entries: readonly T[]): T[] => {
  const value = ({ card }: T) => rowOf(card, leading.metric, leading.row)?.value ?? Number.NEGATIVE_INFINITY;
  return [...entries].sort((a, b) => (value(b) > value(a) ? 1 : value(b) < value(a) ? -1 : 0));
};
