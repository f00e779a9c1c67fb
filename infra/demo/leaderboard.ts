import { readScorecard } from '../../pipelines/metrics/scorecard-file.ts';
import { headlines } from '../../pipelines/verdicts/ranking.ts';
import type { NodeStatus } from '../../schemas/progress.ts';
import type { Scorecard } from '../../schemas/scorecard.ts';
import type { Store } from '../../schemas/store.ts';
import { numberText } from '../cli/run-view.ts';
import { table } from '../cli/table.ts';

/**
 * The metrics on which a model of sequences must beat one that knows no context, by their R² per visit. Per
 * patient the sequential one is mostly sampling noise on the demo's 78 training patients: repeated draws from
 * one model differ by more than the models do.
 */
const cooccurrenceMetrics = {
  'code-pairs': 'same-visit co-occurrence',
  'sequential-pairs': 'consecutive-visit co-occurrence',
} as const;
const judgedRow = 'visit-r2';

/** The scorecards of a run, in the order of its plan; those that failed are left out. */
export const readCards = async (store: Store, nodes: readonly NodeStatus[]): Promise<Scorecard[]> => {
  const cards: Scorecard[] = [];
  for (const { stage, result } of nodes) {
    if (stage !== 'similarity' || !result) continue;
    cards.push(await readScorecard(await store.open(result.ref)));
  }
  return cards;
};

const cell = (value: number | null): string => (value === null ? '–' : numberText(Number(value.toFixed(3))));

/** One row per headline number, one column per generator, and the real holdout patients for comparison. */
export const leaderboard = (cards: readonly Scorecard[]): string =>
  table(
    ['', ...cards.map(({ generator }) => generator), 'real holdout'],
    headlines(cards).map(({ heading, values, holdout }) => [
      heading,
      ...cards.map((_, i) => cell(values[i]?.value ?? null)),
      cell(holdout),
    ]),
  );

/**
 * The judged scores of one generator and of the run's baseline, as sentences, and whether it is strictly
 * ahead.
 */
export const compareBigrams = (
  cards: readonly Scorecard[],
  generator: string,
): { ahead: boolean; text: string }[] =>
  Object.entries(cooccurrenceMetrics).map(([metric, name]) => {
    const value = (card: Scorecard | undefined): number | null =>
      card?.rows.find((row) => row.metric === metric && row.row === judgedRow)?.value ?? null;
    const baseline = cards.find((card) => card.baseline);
    const own = value(cards.find((card) => card.generator === generator));
    const other = value(baseline);
    return {
      ahead: own !== null && other !== null && own > other,
      text: `R² of ${name} per visit: ${generator} ${cell(own)}, ${baseline?.generator ?? 'no baseline'} ${cell(other)}`,
    };
  });
