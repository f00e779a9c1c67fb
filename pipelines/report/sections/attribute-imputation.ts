import { decimal, percent } from '../../kernel/number-format.ts';
import { cellOfGenerator, tableRow } from '../../verdicts/metric-tables.ts';
import type { BeliefPanel, RocCurve } from '../attack-plots.ts';
import { type RocLine, rocChart } from '../charts/roc.ts';
import { type SweepLine, sweepChart } from '../charts/sweep.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { barsFigure } from './bars-figure.ts';
import { legend } from './membership.ts';
import { generatorName, generatorNamed } from './section.ts';

const name = 'attribute-imputation';

/** How each arm is drawn, by what its rows begin with; what has no color has the generator's. */
const looks: Readonly<Record<string, { color?: string; dashes: string }>> = {
  '': { dashes: 'none' },
  'control-': { color: 'var(--soft)', dashes: 'none' },
  'strangers-': { dashes: '2,2' },
  'reference-promptehr-': { dashes: '6,3' },
};

const lineOf = (curve: RocCurve, own: string): RocLine => {
  const { color = own, dashes = 'none' } = looks[curve.prefix] ?? {};
  return { ...curve, color, dashes };
};

const sweepsOf = ({ attack, control }: BeliefPanel, own: string): SweepLine[] =>
  (
    [
      ['hidden codes, attack', own, 'none', attack, 'truePositive'],
      ['codes not there, attack', own, '6,3', attack, 'falsePositive'],
      ['hidden codes, control', 'var(--soft)', 'none', control, 'truePositive'],
      ['codes not there, control', 'var(--soft)', '6,3', control, 'falsePositive'],
    ] as const
  ).map(([title, color, dashes, sweep, rate]) => ({
    title,
    color,
    dashes,
    threshold: sweep.threshold,
    rate: sweep[rate],
  }));

const aucWords = (data: ReportData, { generator, curves }: BeliefPanel): string =>
  curves
    .map(({ prefix, title }) => {
      const value = cellOfGenerator(tableRow(data.metrics, name, `${prefix}auc`), generator)?.value ?? null;
      return `${title}: AUC ${value === null ? 'not defined' : decimal(value)}`;
    })
    .join('; ');

const sweepWords = ({ attack, control }: BeliefPanel): string => {
  const rates = ({ truePositive, falsePositive }: BeliefPanel['attack']) =>
    `${percent(truePositive[0] ?? 0)} of the hidden codes and ${percent(falsePositive[0] ?? 0)} of those that are not there`;
  return `At a threshold of 0 the attack believes ${rates(attack)}, the control ${rates(control)}`;
};

const axes = { x: 'codes not there, believed →', y: '↑ hidden codes believed' };

const panel = (data: ReportData, found: BeliefPanel, i: number): Markup => {
  const { generator, curves } = found;
  const own = generatorNamed(data, generator)?.color ?? 'currentColor';
  const roc = {
    id: `beliefs-roc-${i}`,
    title: `Hidden codes believed, ${generator}`,
    description: aucWords(data, found),
  };
  const sweep = {
    id: `beliefs-sweep-${i}`,
    title: `Codes believed by threshold, ${generator}`,
    description: sweepWords(found),
  };
  const lines = curves.map((curve) => lineOf(curve, own));
  return html`<figure><figcaption>${generatorName(data, generator)}</figcaption>${rocChart(lines, 'linear', 0, roc, axes)}</figure>
<figure><figcaption>${generatorName(data, generator)}<span class="value">by threshold</span></figcaption>${sweepChart(sweepsOf(found, own), sweep)}</figure>`;
};

/** Whether a code that is hidden can be told from the rest of a record; nothing where nobody tried. */
export const hiddenCodes = (data: ReportData): Markup | false => {
  const metric = data.metrics.find((table) => table.metric === name);
  if (!metric) return false;
  const lines = new Map(
    data.beliefs.flatMap(({ curves }) => curves.map((curve) => [curve.title, lineOf(curve, 'var(--ink)')])),
  );
  const bars = (row: string, title: string, base: number, label: string) =>
    barsFigure(data, { metric: name, row, title, base, line: { at: base, label } });
  return html`<h3>Can a hidden code be told from the rest?</h3><p>${metric.about} One code of a training patient is hidden at a time, in all visits. The black tick is the control: a model of real patients nobody trained on in the place of the model of the synthetic ones. The excess is over the same attack on patients nobody trained on.</p>
<div class="panels">${bars('excess', 'AUC beyond patients nobody trained on', 0, 'no excess')}${bars('auc', 'AUC of believed codes', 0.5, 'guessing')}</div>${
    data.beliefs.length > 0 &&
    html`${legend([...lines.values()])}<div class="panels">${data.beliefs.map((found, i) => panel(data, found, i))}</div><p class="note">By threshold: drawn through, the hidden codes that are believed; dashed, codes that are not there and are believed all the same; gray is the control.</p>`
  }`;
};
