import { decimal } from '../../kernel/number-format.ts';
import { cellOfGenerator, type MetricTable, tableRow } from '../../verdicts/metric-tables.ts';
import { mixChart } from '../charts/mixes.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { barsFigure } from './bars-figure.ts';
import { labelScoreFigures } from './label-score-figures.ts';
import { generatorName, generatorNamed, leadOf, type Section } from './section.ts';
import { sideBySide } from './side-by-side.ts';

const utilityMetric = (data: ReportData, name: string): MetricTable | undefined =>
  data.metrics.find(({ family, metric }) => family === 'utility' && metric === name);

/** Rows of a metric by name with the heading of each, those that are there. */
const rowsNamed = ({ rows }: MetricTable, names: Readonly<Record<string, string>>) =>
  Object.entries(names).flatMap(([name, text]) => {
    const row = rows.find((candidate) => candidate.row === name);
    return row ? [[row, text] as const] : [];
  });

const phenotypeFigures = (data: ReportData, metric: string): Markup => {
  const figure = (row: string, title: string) =>
    barsFigure(data, {
      metric,
      row,
      title,
      base: 0.5,
      domain: [0.4, 1],
      line: { at: 0.5, label: 'guessing' },
      tick: 'real',
      referenceIs: 'trained on real patients',
    });
  return html`<div class="panels">${figure('synthetic-auc', 'Trained on synthetic')}${figure('augmented-auc', 'Trained on both')}${figure('real-on-synthetic-auc', 'Trained on real, tested on synthetic')}</div>`;
};

const phenotyping = (data: ReportData): Markup | false => {
  const metric = utilityMetric(data, 'phenotyping');
  if (!metric) return false;
  const gaps = rowsNamed(metric, {
    'gap-synthetic-auc': 'Synthetic, AUC',
    'gap-synthetic-f1': 'F1',
    'gap-synthetic-accuracy': 'accuracy',
    'gap-augmented-auc': 'Both, AUC',
    'gap-augmented-f1': 'F1',
    'gap-augmented-accuracy': 'accuracy',
  });
  return html`<h3>Phenotyping: do classifiers of labels learn from synthetic patients?</h3><p>${metric.about} AUC on real test patients, mean over labels; the black tick is the same classifier trained on real patients.</p>
${phenotypeFigures(data, metric.metric)}${
  gaps.length > 0 &&
  html`<h4>Difference to training on real patients</h4><p>0 is as good as real patients, below 0 is worse.</p>${sideBySide(data, 'Difference to training on real patients', metric.metric, gaps)}`
}<h4>Label by label</h4>${labelScoreFigures(data, metric.metric)}`;
};

const published = (data: ReportData): Markup | false => {
  const metric = utilityMetric(data, 'phenotyping-as-published');
  return (
    metric !== undefined &&
    html`<details><summary>The paper's variant, which leaks</summary><p><strong>Not the headline.</strong> ${metric.about}</p>${phenotypeFigures(data, metric.metric)}${labelScoreFigures(data, metric.metric)}</details>`
  );
};

const rare = (data: ReportData): Markup | false => {
  const metric = utilityMetric(data, 'rare-conditions');
  if (!metric) return false;
  const figure = (row: string, title: string) =>
    barsFigure(data, { metric: metric.metric, row, title, base: 0, line: { at: 0, label: 'no gain' } });
  return html`<h3>Do synthetic patients help where a label is rare?</h3><p>${metric.about}</p><div class="panels">${figure('gain-augmented-auc', 'AUC gained by synthetic patients')}${figure('gain-balanced-auc', 'AUC gained by real patients')}</div><h4>Label by label</h4>${labelScoreFigures(data, metric.metric)}`;
};

const mostFrequentAt = (data: ReportData, depth: number): number | null =>
  tableRow(data.metrics, 'next-visit', `commonest-recall-at-${depth}`)?.values.find(
    ({ value }) => value !== null,
  )?.value ?? null;

const mixes = (data: ReportData): Markup | false => {
  if (!data.mixes) return false;
  const { depth, panels } = data.mixes;
  const real = tableRow(data.metrics, 'next-visit', `recall-at-${depth}`)?.real ?? null;
  const guess = mostFrequentAt(data, depth);
  const references = [
    ...(real === null ? [] : [{ at: real, label: 'real patients alone' }]),
    ...(guess === null ? [] : [{ at: guess, label: 'most frequent codes' }]),
  ];
  const all = [
    ...panels.flatMap((panel) => panel.mixes.map(({ recall }) => recall)),
    ...references.map(({ at }) => at),
  ];
  const domain: [number, number] = [
    Math.max(0, Math.floor(Math.min(...all) * 20 - 0.5) / 20),
    Math.min(1, Math.ceil(Math.max(...all) * 20 + 0.5) / 20),
  ];
  return html`<h4>Recall@${depth} by what was trained on</h4><div class="panels">${panels.map((panel, i) => {
    const own = cellOfGenerator(tableRow(data.metrics, 'next-visit', `recall-at-${depth}`), panel.generator);
    const caption = {
      id: `mixes-${i}`,
      title: `Recall@${depth} of next visits by training patients, ${panel.generator}`,
      description: panel.mixes
        .map((mix) => `${mix.real} real and ${mix.synthetic} synthetic: ${decimal(mix.recall)}`)
        .join('; '),
    };
    const color = generatorNamed(data, panel.generator)?.color ?? 'currentColor';
    return html`<figure><figcaption>${generatorName(data, panel.generator)}<span class="value">${own?.value == null ? '' : decimal(own.value)}</span></figcaption>${mixChart(panel.mixes, color, references, domain, caption)}</figure>`;
  })}</div>`;
};

const nextVisit = (data: ReportData): Markup | false => {
  const metric = utilityMetric(data, 'next-visit');
  if (!metric) return false;
  const rows = metric.rows.filter(({ row }) => /^recall-at-\d+$/.test(row));
  return html`<h3>Can the next visit be predicted?</h3><p>${metric.about} Recall@k is the share of the next visit's codes among the k codes to which the predictor assigns the highest probabilities. The black tick is the predictor trained on real patients; the dashed line always predicts the most frequent codes.</p>
<div class="panels">${rows.map(({ row }) => {
    const depth = Number(row.replace(/^\D+/, ''));
    const guess = mostFrequentAt(data, depth);
    return barsFigure(data, {
      metric: metric.metric,
      row,
      title: `Recall@${depth}`,
      base: 0,
      tick: 'real',
      referenceIs: 'trained on real patients',
      ...(guess === null ? {} : { line: { at: guess, label: 'most frequent codes' } }),
    });
  })}</div>${mixes(data)}`;
};

const known = new Set(['phenotyping', 'phenotyping-as-published', 'rare-conditions', 'next-visit']);

/** Headline rows of metrics without a figure of their own on this page. */
const others = (data: ReportData): Markup[] =>
  data.metrics
    .filter(({ family, metric }) => family === 'utility' && !known.has(metric))
    .map(
      (metric) =>
        html`<h3>${metric.title}</h3><p>${metric.about}</p><div class="panels">${leadOf(data, metric).map(({ row, title }) => barsFigure(data, { metric: metric.metric, row, title, base: 0, tick: 'real', referenceIs: 'real patients' }))}</div>`,
    );

/** What the synthetic cohorts are useful for; null where it was not measured. */
export const utility = (data: ReportData): Section | null => {
  if (!data.metrics.some(({ family }) => family === 'utility')) return null;
  return {
    id: 'utility',
    title: 'Utility',
    short: 'Utility',
    body: html`<p>Predictors are trained on synthetic patients and tested on real ones that no generator has seen.</p>${phenotyping(data)}${published(data)}${rare(data)}${nextVisit(data)}${others(data)}`,
  };
};
