import { decimal, percent } from '../../kernel/number-format.ts';
import { cellOfGenerator, tableRow } from '../../verdicts/metric-tables.ts';
import type { BeliefPanel, RocCurve } from '../attack-plots.ts';
import { type RocLine, rocChart } from '../charts/roc.ts';
import { type SweepLine, sweepChart } from '../charts/sweep.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { barsFigure } from './bars-figure.ts';
import { legend } from './membership.ts';
import { fold, generatorName, generatorNamed } from './section.ts';

const name = 'attribute-imputation';

/** The line of each arm, by the prefix of its rows; without a color it has the generator's. */
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
      ['true codes, attack', own, 'none', attack, 'truePositive'],
      ['false codes, attack', own, '6,3', attack, 'falsePositive'],
      ['true codes, control', 'var(--soft)', 'none', control, 'truePositive'],
      ['false codes, control', 'var(--soft)', '6,3', control, 'falsePositive'],
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
    `${percent(truePositive[0] ?? 0)} of the hidden codes (true positives) and ${percent(falsePositive[0] ?? 0)} of the codes that the patient does not have (false positives)`;
  return `At a threshold of 0 the attack predicts ${rates(attack)}, the control ${rates(control)}`;
};

const axes = { x: 'false positive rate →', y: '↑ true positive rate' };

const panel = (data: ReportData, found: BeliefPanel, i: number): Markup => {
  const { generator, curves } = found;
  const own = generatorNamed(data, generator)?.color ?? 'currentColor';
  const roc = {
    id: `beliefs-roc-${i}`,
    title: `ROC of attribute inference (imputation), ${generator}`,
    description: aucWords(data, found),
  };
  const sweep = {
    id: `beliefs-sweep-${i}`,
    title: `Predicted codes by threshold, ${generator}`,
    description: sweepWords(found),
  };
  const lines = curves.map((curve) => lineOf(curve, own));
  return html`<figure><figcaption>${generatorName(data, generator)}</figcaption>${rocChart(lines, 'linear', 0, roc, axes)}</figure>
<figure><figcaption>${generatorName(data, generator)}<span class="value">by threshold</span></figcaption>${sweepChart(sweepsOf(found, own), sweep)}</figure>`;
};

/** The numbers of the attack as bars; none where it was not made. */
export const imputationFigures = (data: ReportData): Markup[] => {
  const about = data.metrics.find(({ metric }) => metric === name)?.about;
  return [
    ...barsFigure(data, {
      metric: name,
      row: 'excess',
      title: 'AUC advantage, imputation',
      about: `${about ?? ''} One code is hidden at a time, in all visits. The advantage is over the same attack on patients outside the training set.`,
      base: 0,
      line: { at: 0, label: 'no advantage' },
    }),
    ...barsFigure(data, {
      metric: name,
      row: 'auc',
      title: 'AUC of predicted codes, imputation',
      about:
        'The black tick is the control: the same attack by a model of real patients outside the training set, instead of a model of the synthetic ones.',
      base: 0.5,
      line: { at: 0.5, label: 'guessing' },
    }),
  ];
};

/** Its curves, and its rates by threshold, in a fold. */
export const imputationCurves = (data: ReportData): Markup | false => {
  const lines = new Map(
    data.beliefs.flatMap(({ curves }) => curves.map((curve) => [curve.title, lineOf(curve, 'var(--ink)')])),
  );
  return (
    data.beliefs.length > 0 &&
    fold(
      'Attribute inference (imputation): ROC curves, and rates by threshold',
      html`${legend([...lines.values()])}<div class="panels">${data.beliefs.map((found, i) => panel(data, found, i))}</div><p class="note">By threshold: solid lines are true positives (hidden codes that are predicted), dashed lines are false positives, gray lines are the control.</p>`,
    )
  );
};
