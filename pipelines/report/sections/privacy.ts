import { counted, percent } from '../../kernel/number-format.ts';
import type { MetricTable } from '../../verdicts/metric-tables.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { imputationCurves, imputationFigures } from './attribute-imputation.ts';
import { barsFigure, otherFigures } from './bars-figure.ts';
import { membership } from './membership.ts';
import { fold, panels, type Section } from './section.ts';
import { sideBySide } from './side-by-side.ts';

const metricNamed = (data: ReportData, name: string): MetricTable | undefined =>
  data.metrics.find(({ metric }) => metric === name);

/** Forms of the privacy loss, of which only ours counts copies as what they are. */
const lossForms = (data: ReportData, metric: MetricTable): Markup => {
  const forms = (
    [
      ['loss', 'corrected'],
      ['reference-halo-loss', 'published'],
      ['reference-pyhealth-loss', 'PyHealth'],
    ] as const
  ).flatMap(([row, text]) => {
    const found = metric.rows.find((candidate) => candidate.row === row);
    return found ? [[found, text] as const] : [];
  });
  return fold(
    'Nearest neighbors: the privacy loss as published',
    html`${sideBySide(data, 'Forms of the privacy loss', metric.metric, forms)}<p class="note">The corrected form is ours and the headline: exact copies count. The published form ignores every distance of 0, so a generator that copies verbatim passes it. PyHealth's ignores labels. Use these two only to compare with published tables.</p>`,
  );
};

const copyForms = (data: ReportData, { metric, rows }: MetricTable): Markup =>
  fold(
    'Copies beyond chance',
    sideBySide(
      data,
      'Copies beyond chance',
      metric,
      rows.filter(({ row }) => /^(exact|near)-excess$/.test(row)).map((row) => [row, row.title] as const),
    ),
  );

/** Whether synthetic patients are copies of training patients, or too near to them. */
const nearness = (data: ReportData): Markup | false => {
  const [loss, copies, identity] = ['nearest-neighbor-accuracy', 'copies', 'identity-disclosure'].map(
    (name) => metricNamed(data, name),
  );
  const about = (metric: MetricTable | undefined, more: string) => `${metric?.about ?? ''} ${more}`;
  const figures = [
    ...barsFigure(data, {
      metric: 'copies',
      row: 'exact',
      title: 'Exact copies',
      about: about(copies, 'What counts is how far a bar goes beyond the black tick.'),
      base: 0,
      format: percent,
    }),
    ...barsFigure(data, {
      metric: 'copies',
      row: 'near',
      title: 'Exact or near copies',
      about: 'The same, with records that differ in a few codes.',
      base: 0,
      format: percent,
    }),
    ...barsFigure(data, {
      metric: 'nearest-neighbor-accuracy',
      row: 'loss',
      title: 'Nearest neighbors, privacy loss',
      about: about(loss, '0 means that they are no nearer, 1 that all were copied.'),
      base: 0,
      line: { at: 0, label: 'no nearer' },
    }),
    ...barsFigure(data, {
      metric: 'identity-disclosure',
      row: 'risk',
      title: 'Identity disclosure risk',
      about: identity?.about,
      base: 0,
      line: { at: 0.09, label: 'threshold 0.09' },
    }),
  ];
  return (
    figures.length > 0 &&
    html`<h3>Are training patients copied, or can they be recognized?</h3><p>The black tick: real holdout patients in place of synthetic ones. They resemble training patients by chance alone.</p>${panels(figures, 'figure')}${copies && copyForms(data, copies)}${loss && lossForms(data, loss)}`
  );
};

const attributes = (data: ReportData): Markup | false => {
  const figures = [
    ...barsFigure(data, {
      metric: 'attribute-inference',
      row: 'risk',
      title: 'Risk beyond the control, nearest records',
      about: metricNamed(data, 'attribute-inference')?.about,
      base: 0,
      line: { at: 0, label: 'no risk' },
    }),
    ...barsFigure(data, {
      metric: 'attribute-inference',
      row: 'attack',
      title: 'F1 of guessed codes, nearest records',
      about: 'The black tick is the control: the same attack on real holdout patients.',
      base: 0,
    }),
    ...imputationFigures(data),
  ];
  return (
    figures.length > 0 &&
    html`<h3>Attribute inference: can further codes of a known patient be inferred?</h3><p>Much of a record follows from the rest by medical knowledge alone. Only the advantage over an attack on, or with, other real patients is due to the synthetic cohort.</p>${panels(figures, 'figure')}${imputationCurves(data)}`
  );
};

const known = new Set([
  'strongest-attack',
  'nearest-neighbor-accuracy',
  'copies',
  'attribute-inference',
  'attribute-imputation',
  'identity-disclosure',
]);

/** What attacks found in the synthetic cohorts; null where no attack was run. */
export const privacy = (data: ReportData): Section | null => {
  const measured = data.metrics.filter(({ family }) => family === 'privacy');
  if (measured.length === 0) return null;
  const others = measured.filter(({ metric }) => !known.has(metric) && !metric.startsWith('membership-'));
  return {
    id: 'privacy',
    title: 'Privacy',
    short: 'Privacy',
    body: html`<p>Attacks on the synthetic cohorts by an attacker who has the cohorts and knows real patients: ${counted(data.real.patients, 'training patient')} against ${counted(data.holdout.patients, 'holdout patient')} outside the training set. Other attacks may find more.</p>${membership(data)}${nearness(data)}${attributes(data)}${otherFigures(data, others)}`,
  };
};
