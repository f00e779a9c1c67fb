import type { MetricRow } from '../../schemas/scorecard.ts';
import { type Cell, type MetricTable, tableRow } from '../verdicts/metric-tables.ts';
import type { Headline } from '../verdicts/ranking.ts';

/**
 * A fitted model: what its cohort is called, its branch, and how many patients it learned from where not all.
 */
export interface FittedModel {
  name: string;
  /** Models of one branch differ only in how many patients they learned from. */
  branch: string;
  patients?: number;
}

/** One number of a generator that was trained on several numbers of patients. */
export interface SizeLine {
  generator: string;
  /** By rising number of training patients; only those that have a value. */
  points: { name: string; patients: number; value: number; interval?: [number, number] }[];
}

/** One number by training patients, for all generators that were trained on several numbers of them. */
export interface SizePanel {
  metric: string;
  row: string;
  heading: string;
  better: MetricRow['better'];
  lines: SizeLine[];
  /** Generators that were trained once, and real holdout patients. */
  references: { label: string; value: number }[];
}

/** What PromptEHR's figure 8 shows; no column of the leaderboard, but shown where there are any. */
const perplexities: readonly (readonly [string, string])[] = [
  ['imputation-perplexity', 'lpl-all'],
  ['imputation-perplexity', 'mpl-all'],
];

const pointOf = (
  cell: Cell | undefined,
  { name, patients }: FittedModel,
  all: number,
): SizeLine['points'] => {
  if (cell === undefined || cell.value === null) return [];
  const { value, interval } = cell;
  return [{ name, patients: patients ?? all, value, ...(interval && { interval }) }];
};

/** Branches with several models, each with its models. */
const severalSizes = (models: readonly FittedModel[]): Map<string, FittedModel[]> => {
  const found = new Map<string, FittedModel[]>();
  for (const model of models) found.set(model.branch, [...(found.get(model.branch) ?? []), model]);
  return new Map([...found].filter(([, own]) => own.length > 1));
};

/**
 * The leaderboard's numbers, and perplexities, by the number of training patients; `all`: how many the
 * training split has. Nothing where no generator was trained on several numbers.
 */
export const sizePanels = (
  tables: readonly MetricTable[],
  headlines: readonly Headline[],
  models: readonly FittedModel[],
  all: number,
): SizePanel[] => {
  const several = severalSizes(models);
  const shown = [
    ...headlines.map(({ metric, row, heading }) => ({ metric, row, heading })),
    ...perplexities.map(([metric, row]) => ({ metric, row, heading: undefined })),
  ];
  return shown.flatMap(({ metric, row, heading }): SizePanel[] => {
    const found = tableRow(tables, metric, row);
    if (!found) return [];
    const cellOf = (name: string) => found.values.find(({ generator }) => generator === name);
    const lines = [...several].map(([generator, own]): SizeLine => {
      const points = own.flatMap((model) => pointOf(cellOf(model.name), model, all));
      return { generator, points: points.sort((a, b) => a.patients - b.patients) };
    });
    const drawn = lines.filter(({ points }) => points.length > 1);
    if (drawn.length === 0) return [];
    const once = models.filter(({ branch }) => !several.has(branch));
    const references = [
      ...once.map(({ name }) => ({ label: name, value: cellOf(name)?.value ?? null })),
      { label: 'real holdout', value: found.holdout },
    ].flatMap(({ label, value }) => (value === null ? [] : [{ label, value }]));
    return [{ metric, row, heading: heading ?? found.title, better: found.better, lines: drawn, references }];
  });
};
