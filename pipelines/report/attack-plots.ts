import { type MergedCard, metricsIn } from './merged-cards.ts';

/** The ROC curve of one attack on one generator: rates, no patients. */
export interface RocCurve {
  metric: string;
  /** Empty for ours, `reference-…` for a published variant: what its row names begin with. */
  prefix: string;
  title: string;
  falsePositive: number[];
  truePositive: number[];
}

/** All curves of one generator. */
export interface RocPanel {
  generator: string;
  curves: RocCurve[];
}

const columnOf = (columns: Record<string, number[] | string[]>, name: string): number[] =>
  (columns[name] ?? []).map(Number);

/** A panel for every generator that was attacked, with a curve for every attack and variant. */
export const rocPanels = (entries: readonly MergedCard[]): RocPanel[] => {
  const titles = new Map(
    metricsIn(entries.map(({ card }) => card)).map(({ metric, title }) => [metric, title]),
  );
  const panels = entries.map(({ card, series }): RocPanel => {
    const curves = [...titles].flatMap(([metric, title]) =>
      Object.entries(series[metric] ?? {}).flatMap(([plot, columns]): RocCurve[] => {
        if (!plot.endsWith('roc')) return [];
        const prefix = plot.slice(0, -'roc'.length);
        const row = card.rows.find((found) => found.metric === metric && found.row === `${prefix}auc`);
        const [falsePositive, truePositive] = [
          columnOf(columns, 'falsePositive'),
          columnOf(columns, 'truePositive'),
        ];
        const variant = prefix === '' ? '' : (row?.title.match(/, .*$/)?.[0] ?? `, ${prefix.slice(0, -1)}`);
        return [{ metric, prefix, title: `${title}${variant}`, falsePositive, truePositive }];
      }),
    );
    return { generator: card.generator, curves };
  });
  return panels.filter(({ curves }) => curves.length > 0);
};
