import { type Headline, headlines } from '../../pipelines/report/ranking.ts';
import type { NodeStatus } from '../../schemas/progress.ts';
import { type Scorecard, scorecard } from '../../schemas/scorecard.ts';
import type { Store } from '../../schemas/store.ts';
import { numberText } from '../cli/run-view.ts';
import { table } from '../cli/table.ts';

/** The metrics on which a model of sequences must beat one that knows no context. */
export const bigramMetrics = ['code-pairs', 'sequential-pairs'] as const;

/** The scorecards of a run, in the order of its plan; those that failed are left out. */
export const readCards = async (store: Store, nodes: readonly NodeStatus[]): Promise<Scorecard[]> => {
  const cards: Scorecard[] = [];
  for (const { stage, result } of nodes) {
    if (stage !== 'similarity' || !result) continue;
    const artifact = await store.open(result.ref);
    cards.push(scorecard.parse(await artifact.json('scorecard.json')));
  }
  return cards;
};

const cell = (value: number | null): string => (value === null ? '–' : numberText(Number(value.toFixed(3))));

/** One row per generator, one column per headline number, and the real holdout patients as a yardstick. */
export const leaderboard = (cards: readonly Scorecard[]): string => {
  const columns = headlines(cards);
  const row = (name: string, value: (headline: Headline, i: number) => number | null, i = 0) => [
    name,
    ...columns.map((headline) => cell(value(headline, i))),
  ];
  return table(
    ['', ...columns.map(({ heading }) => heading)],
    [
      ...cards.map(({ generator }, i) => row(generator, ({ values }) => values[i]?.value ?? null, i)),
      row('real holdout', ({ holdout }) => holdout),
    ],
  );
};

/** Bigram scores on which `first` is not strictly ahead of `second`, told in words; none is what we hope for. */
export const notAhead = (cards: readonly Scorecard[], first: string, second: string): string[] => {
  const columns = headlines(cards);
  return bigramMetrics.flatMap((metric) => {
    const headline = columns.find((column) => column.metric === metric);
    const value = (generator: string) =>
      headline?.values.find((entry) => entry.generator === generator)?.value ?? null;
    const [ours, theirs] = [value(first), value(second)];
    if (ours !== null && theirs !== null && ours > theirs) return [];
    return [`${headline?.heading ?? metric}: ${first} ${cell(ours)}, ${second} ${cell(theirs)}`];
  });
};
