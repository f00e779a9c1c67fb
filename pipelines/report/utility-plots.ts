import type { Scorecard } from '../../schemas/scorecard.ts';
import { type MergedCard, metricsIn } from '../verdicts/merged-cards.ts';
import { isReported } from '../verdicts/metric-tables.ts';

/** One label with the score that each training arrangement reached. */
export interface LabelScore {
  label: string;
  /** In the order of the plot's arrangements. */
  values: number[];
}

/** A label that was not measured, and why. */
export interface UnmeasuredLabel {
  label: string;
  why: string;
}

/** Scores by label, a panel per generator. */
export interface LabelScorePlot {
  metric: string;
  title: string;
  about: string;
  arrangements: string[];
  panels: {
    generator: string;
    labels: LabelScore[];
    unmeasured: UnmeasuredLabel[];
    /** Labels not named, as too few real patients have them. */
    leftOut: number;
  }[];
}

/** Recall at one depth by what the predictor was trained on. */
export interface MixPlot {
  depth: number;
  panels: { generator: string; mixes: { real: number; synthetic: number; recall: number }[] }[];
}

const plotName = 'label-auc';

/** Labels that some arrangement has no number for; `null` in place of a name that is suppressed. */
const unmeasuredIn = (card: Scorecard, metric: string, enough: number): (UnmeasuredLabel | null)[] => {
  const found = new Map<string, { why?: string; small: boolean }>();
  for (const row of card.rows.filter((candidate) => candidate.metric === metric)) {
    const isAboutLabel = row.patients !== undefined || row.suppressed;
    const label = isAboutLabel ? row.row.match(/^(.*): [a-z-]+$/)?.[1] : undefined;
    if (label === undefined) continue;
    const known = found.get(label) ?? { small: false };
    const isMissing = row.value === null && row.note !== undefined;
    found.set(label, {
      ...known,
      small: known.small || !isReported(row, enough),
      ...(isMissing && known.why === undefined ? { why: row.note ?? '' } : {}),
    });
  }
  return [...found].flatMap(([label, { why, small }]) =>
    why === undefined ? [] : [small ? null : { label, why }],
  );
};

const labelPanel = (
  { card, series }: MergedCard,
  metric: string,
  arrangements: readonly string[],
  enough: number,
): LabelScorePlot['panels'][number] => {
  const columns = series[metric]?.[plotName] ?? {};
  const patients = (columns['patients'] ?? []).map(Number);
  const names = (columns['label'] ?? []).map(String);
  const kept = [...names.keys()].filter((i) => (patients[i] ?? 0) >= enough);
  const unmeasured = unmeasuredIn(card, metric, enough);
  return {
    generator: card.generator,
    labels: kept.map((i) => ({
      label: names[i] ?? '',
      values: arrangements.map((name) => Number(columns[name]?.[i] ?? 0)),
    })),
    unmeasured: unmeasured.filter((label) => label !== null),
    leftOut: names.length - kept.length + unmeasured.filter((label) => label === null).length,
  };
};

/** A plot for every metric that scores labels one by one. */
export const labelScorePlots = (entries: readonly MergedCard[], enough: number): LabelScorePlot[] =>
  metricsIn(entries.map(({ card }) => card)).flatMap(({ metric, title, about }) => {
    const columns = entries.map(({ series }) => series[metric]?.[plotName]).find((found) => found);
    if (!columns) return [];
    const arrangements = Object.keys(columns).filter((name) => name !== 'label' && name !== 'patients');
    const panels = entries.map((entry) => labelPanel(entry, metric, arrangements, enough));
    return [{ metric, title, about, arrangements, panels }];
  });

const mixRow = /^(\d+)-real-(\d+)-synthetic-recall-at-(\d+)$/;

/** Recall of next visits over the mixes that predictors were trained on; nothing where there are none. */
export const mixPlot = (entries: readonly MergedCard[], depth = 20): MixPlot | undefined => {
  const panels = entries.map(({ card }) => ({
    generator: card.generator,
    mixes: card.rows.flatMap(({ row, value }) => {
      const [, real, synthetic, at] = row.match(mixRow) ?? [];
      if (value === null || Number(at) !== depth) return [];
      return [{ real: Number(real), synthetic: Number(synthetic), recall: value }];
    }),
  }));
  const drawn = panels.filter(({ mixes }) => mixes.length > 0);
  return drawn.length > 0 ? { depth, panels: drawn } : undefined;
};
