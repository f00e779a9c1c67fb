import type { MetricRow, Scorecard } from '../../schemas/scorecard.ts';
import { metricsIn } from './merged-cards.ts';

/** One column of the leaderboard. `values` follow the order of the cards. */
export interface Headline {
  metric: string;
  row: string;
  heading: string;
  title: string;
  about: string;
  better: MetricRow['better'];
  values: { generator: string; value: number | null; note?: string }[];
  holdout: number | null;
}

const rowOf = (card: Scorecard, metric: string, row: string): MetricRow | undefined =>
  card.rows.find((candidate) => candidate.metric === metric && candidate.row === row);

/** The headline rows that the cards name, in their order, each with every generator's value. */
export const headlines = (cards: readonly Scorecard[]): Headline[] =>
  metricsIn(cards).flatMap(({ metric, headline }) =>
    Object.entries(headline).flatMap(([row, heading]) => {
      const first = cards.map((card) => rowOf(card, metric, row)).find((found) => found !== undefined);
      if (!first) return [];
      const values = cards.map((card) => {
        const found = rowOf(card, metric, row);
        return {
          generator: card.generator,
          value: found?.value ?? null,
          ...(found?.note === undefined ? {} : { note: found.note }),
        };
      });
      const { title, about = '', better, holdout = null } = first;
      return [{ metric, row, heading, title, about, better, values, holdout }];
    }),
  );

/** Pairs are what a generator must learn: the floor already has single codes, lengths and labels right. */
const leading = { metric: 'code-pairs', row: 'record-r2' };

/** Cards from best to worst by R² of pairs, as far as they have it; equals keep their order. */
export const ranked = <T extends { card: Scorecard }>(entries: readonly T[]): T[] => {
  const value = ({ card }: T) => rowOf(card, leading.metric, leading.row)?.value ?? Number.NEGATIVE_INFINITY;
  return [...entries].sort((a, b) => (value(b) > value(a) ? 1 : value(b) < value(a) ? -1 : 0));
};
