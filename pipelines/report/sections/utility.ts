import { decimal, listed } from '../../kernel/number-format.ts';
import { type MetricTable, tableRow } from '../../verdicts/metric-tables.ts';
import { mixChart } from '../charts/mixes.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { missingByReason } from './all-numbers.ts';
import { barsFigure, otherFigures } from './bars-figure.ts';
import { labelScoreFigures } from './label-score-figures.ts';
import { fold, generatorName, generatorNamed, panels, type Section, valueIn } from './section.ts';
import { sideBySide } from './side-by-side.ts';

/** Rows of a metric by name with the heading of each, those that are there. */
const rowsNamed = ({ rows }: MetricTable, names: Readonly<Record<string, string>>) =>
  Object.entries(names).flatMap(([name, text]) => {
    const row = rows.find((candidate) => candidate.row === name);
    return row ? [[row, text] as const] : [];
  });

const phenotypeFigures = (data: ReportData, metric: string): Markup[] =>
  (
    [
      ['synthetic-auc', 'Trained on synthetic'],
      ['augmented-auc', 'Trained on both'],
      ['real-on-synthetic-auc', 'Trained on real, tested on synthetic'],
    ] as const
  ).flatMap(([row, title]) =>
    barsFigure(data, {
      metric,
      row,
      title,
      base: 0.5,
      domain: [0.4, 1],
      line: { at: 0.5, label: 'guessing' },
      tick: 'real',
      referenceIs: 'trained on real patients',
    }),
  );

const grid = (figures: readonly Markup[]): Markup | false =>
  figures.length > 0 && html`<div class="panels">${figures}</div>`;

const labelByLabel = (data: ReportData, metric: MetricTable): Markup | false => {
  const figures = labelScoreFigures(data, metric.metric);
  return figures !== false && fold(`${metric.title}, label by label`, figures);
};

const phenotyping = (data: ReportData, metric: MetricTable): Markup => {
  const gaps = rowsNamed(metric, {
    'gap-synthetic-auc': 'Synthetic, AUC',
    'gap-synthetic-f1': 'F1',
    'gap-synthetic-accuracy': 'accuracy',
    'gap-augmented-auc': 'Both, AUC',
    'gap-augmented-f1': 'F1',
    'gap-augmented-accuracy': 'accuracy',
  });
  return html`<h3>Phenotyping: do classifiers of labels learn from synthetic patients?</h3><p>${metric.about} AUC on real test patients, mean over labels; the black tick is the same classifier trained on real patients.</p>${grid(phenotypeFigures(data, metric.metric))}${
    gaps.length > 0 &&
    fold(
      'Difference to training on real patients',
      html`<p>0 is as good as real patients, below 0 is worse.</p>${sideBySide(data, 'Difference to training on real patients', metric.metric, gaps)}`,
    )
  }${labelByLabel(data, metric)}`;
};

const published = (data: ReportData, metric: MetricTable): Markup =>
  fold(
    "Phenotyping: the paper's variant, which leaks",
    html`<p><strong>Not the headline.</strong> ${metric.about}</p>${grid(phenotypeFigures(data, metric.metric))}${labelScoreFigures(data, metric.metric)}`,
  );

const rare = (data: ReportData, metric: MetricTable): Markup => {
  const figure = (row: string, title: string) =>
    barsFigure(data, { metric: metric.metric, row, title, base: 0, line: { at: 0, label: 'no gain' } });
  return html`<h3>Do synthetic patients help where a label is rare?</h3><p>${metric.about}</p>${grid([...figure('gain-augmented-auc', 'AUC gained by synthetic patients'), ...figure('gain-balanced-auc', 'AUC gained by real patients')])}${labelByLabel(data, metric)}`;
};

const mostFrequentAt = (data: ReportData, depth: number): number | null =>
  tableRow(data.metrics, 'next-visit', `commonest-recall-at-${depth}`)?.values.find(
    ({ value }) => value !== null,
  )?.value ?? null;

const mixes = (data: ReportData): Markup | false => {
  if (!data.mixes) return false;
  const { depth, panels: own } = data.mixes;
  const real = tableRow(data.metrics, 'next-visit', `recall-at-${depth}`)?.real ?? null;
  const guess = mostFrequentAt(data, depth);
  const references = [
    ...(real === null ? [] : [{ at: real, label: 'real patients alone' }]),
    ...(guess === null ? [] : [{ at: guess, label: 'most frequent codes' }]),
  ];
  const all = [
    ...own.flatMap((panel) => panel.mixes.map(({ recall }) => recall)),
    ...references.map(({ at }) => at),
  ];
  const domain: [number, number] = [
    Math.max(0, Math.floor(Math.min(...all) * 20 - 0.5) / 20),
    Math.min(1, Math.ceil(Math.max(...all) * 20 + 0.5) / 20),
  ];
  const figures = own.map((panel, i) => {
    const recall = valueIn(data, 'next-visit', `recall-at-${depth}`, panel.generator);
    const caption = {
      id: `mixes-${i}`,
      title: `Recall@${depth} of next visits by training patients, ${panel.generator}`,
      description: panel.mixes
        .map((mix) => `${mix.real} real and ${mix.synthetic} synthetic: ${decimal(mix.recall)}`)
        .join('; '),
    };
    const color = generatorNamed(data, panel.generator)?.color ?? 'currentColor';
    return html`<figure><figcaption>${generatorName(data, panel.generator)}<span class="value">${recall === null ? '' : decimal(recall)}</span></figcaption>${mixChart(panel.mixes, color, references, domain, caption)}</figure>`;
  });
  return html`<h4>Recall@${depth} by what was trained on</h4>${panels(figures, 'generator')}`;
};

const nextVisit = (data: ReportData, metric: MetricTable): Markup => {
  const rows = metric.rows.filter(({ row }) => /^recall-at-\d+$/.test(row));
  return html`<h3>Can the next visit be predicted?</h3><p>${metric.about} Recall@k is the share of the next visit's codes among the k codes to which the predictor assigns the highest probabilities. The black tick is the predictor trained on real patients; the dashed line always predicts the most frequent codes.</p>${grid(
    rows.flatMap(({ row }) => {
      const guess = mostFrequentAt(data, Number(row.replace(/^\D+/, '')));
      return barsFigure(data, {
        metric: metric.metric,
        row,
        title: `Recall@${row.replace(/^\D+/, '')}`,
        base: 0,
        tick: 'real',
        referenceIs: 'trained on real patients',
        line: guess === null ? undefined : { at: guess, label: 'most frequent codes' },
      });
    }),
  )}${mixes(data)}`;
};

/** What is shown of a metric that this page knows; the others have their headline as bars. */
const figuresOf: Readonly<Record<string, (data: ReportData, metric: MetricTable) => Markup>> = {
  phenotyping,
  'phenotyping-as-published': published,
  'rare-conditions': rare,
  'next-visit': nextVisit,
};

const isComputed = ({ rows }: MetricTable): boolean =>
  rows.some(({ values }) => values.some(({ value }) => value !== null));

/** Metrics of which nothing could be computed are one sentence with its reasons. */
const notComputed = (metrics: readonly MetricTable[]): Markup | false =>
  metrics.length > 0 &&
  html`<p><strong>Could not be computed:</strong> ${listed(metrics.map(({ title }) => title))}. ${missingByReason(
    metrics,
  )
    .slice(0, 3)
    .map(({ why }) => `${why.replace(/\.$/, '')}. `)}</p>`;

/** What the synthetic cohorts are useful for; null where it was not measured. */
export const utility = (data: ReportData): Section | null => {
  const measured = data.metrics.filter(({ family }) => family === 'utility');
  if (measured.length === 0) return null;
  const computed = measured.filter(isComputed);
  return {
    id: 'utility',
    title: 'Utility',
    short: 'Utility',
    body: html`<p>Predictors are trained on synthetic patients and tested on real ones that no generator has seen.</p>${notComputed(
      measured.filter((metric) => !isComputed(metric)),
    )}${Object.entries(figuresOf).map(([name, figures]) =>
      computed.filter(({ metric }) => metric === name).map((metric) => figures(data, metric)),
    )}${otherFigures(
      data,
      computed.filter(({ metric }) => !(metric in figuresOf)),
    )}`,
  };
};
