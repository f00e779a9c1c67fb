import { type MergedCard, metricsIn } from '../verdicts/merged-cards.ts';

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

const isMembership = (metric: string): boolean => metric.startsWith('membership-');

/** A panel for every generator that was attacked, with a curve for every attack and variant. */
export const rocPanels = (entries: readonly MergedCard[], isDrawn = isMembership): RocPanel[] => {
  const titles = new Map(
    metricsIn(entries.map(({ card }) => card))
      .filter(({ metric }) => isDrawn(metric))
      .map(({ metric, title }) => [metric, title]),
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

/** Rates of attribute inference by the threshold δ above which a code is predicted. */
export interface BeliefSweep {
  threshold: number[];
  falsePositive: number[];
  truePositive: number[];
}

/** True and false positives of attribute inference (imputation) against one generator. */
export interface BeliefPanel extends RocPanel {
  attack: BeliefSweep;
  control: BeliefSweep;
}

const beliefs = 'attribute-imputation';

/** A panel for every generator that attribute inference (imputation) was run against. */
export const beliefPanels = (entries: readonly MergedCard[]): BeliefPanel[] =>
  rocPanels(entries, (metric) => metric === beliefs).map((panel) => {
    const series = entries.find(({ card }) => card.generator === panel.generator)?.series[beliefs];
    const sweep = (plot: string): BeliefSweep => {
      const columns = series?.[plot] ?? {};
      return {
        threshold: columnOf(columns, 'threshold'),
        falsePositive: columnOf(columns, 'falsePositive'),
        truePositive: columnOf(columns, 'truePositive'),
      };
    };
    return { ...panel, attack: sweep('sweep'), control: sweep('control-sweep') };
  });
