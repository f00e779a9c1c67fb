import type { Scorecard, ScorecardSeries } from '../../schemas/scorecard.ts';
import { leftOutPlot } from '../metrics/small-groups.ts';

/** The scorecards of one generator, every family in one. */
export interface MergedCard {
  card: Scorecard;
  series: ScorecardSeries;
}

/** Points that the metric left out of a plot because they are of too few real patients. */
export const leftOutOf = (plots: ScorecardSeries[string] | undefined, plot: string): number => {
  const counts = plots?.[leftOutPlot];
  const at = counts?.['plot']?.map(String).indexOf(plot) ?? -1;
  return Number(counts?.['count']?.[at] ?? 0);
};

/**
 * One entry per generator, in the order they first come; metrics and rows of its cards one after the other.
 */
export const mergedByGenerator = (cards: readonly MergedCard[]): MergedCard[] => {
  const merged = new Map<string, MergedCard>();
  for (const { card, series } of cards) {
    const known = merged.get(card.generator);
    merged.set(card.generator, {
      card: {
        ...card,
        metrics: [...(known?.card.metrics ?? []), ...card.metrics],
        rows: [...(known?.card.rows ?? []), ...card.rows],
      },
      series: { ...known?.series, ...series },
    });
  }
  return [...merged.values()];
};

/** Every metric that any card holds, each once, in the order they first come. */
export const metricsIn = (cards: readonly Scorecard[]): Scorecard['metrics'] => [
  ...new Map(cards.flatMap(({ metrics }) => metrics.map((metric) => [metric.metric, metric]))).values(),
];
