import { counted, percent } from '../../kernel/number-format.ts';
import type { MetricTable } from '../../verdicts/metric-tables.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { attributeImputation } from './attribute-imputation.ts';
import { barsFigure } from './bars-figure.ts';
import { membership } from './membership.ts';
import { leadOf, type Section } from './section.ts';
import { sideBySide } from './side-by-side.ts';

const metricNamed = (data: ReportData, name: string): MetricTable | undefined =>
  data.metrics.find(({ metric }) => metric === name);

const neighbors = (data: ReportData): Markup | false => {
  const name = 'nearest-neighbor-accuracy';
  const metric = metricNamed(data, name);
  if (!metric) return false;
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
  return html`<h3>Are training patients nearer than others?</h3><p>${metric.about} 0 means that they are no nearer, 1 that all were copied.</p>
<div class="panels">${barsFigure(data, { metric: name, row: 'loss', title: 'Privacy loss, corrected', base: 0, line: { at: 0, label: 'no nearer' } })}<div>${sideBySide(data, 'Forms of the privacy loss', name, forms)}<p class="note">The corrected form is ours and the headline: exact copies count. The published form ignores every distance of 0, so a generator that copies verbatim passes it. PyHealth's ignores labels. Use these two only to compare with published tables.</p></div></div>`;
};

const copied = (data: ReportData): Markup | false => {
  const metric = metricNamed(data, 'copies');
  if (!metric) return false;
  const figure = (row: string, title: string) =>
    barsFigure(data, { metric: 'copies', row, title, base: 0, format: percent });
  const excess = ['exact-excess', 'near-excess'].flatMap((row) => {
    const found = metric.rows.find((candidate) => candidate.row === row);
    return found ? [[found, found.title] as const] : [];
  });
  return html`<h3>Are training patients copied?</h3><p>${metric.about} The black tick is the rate of real holdout patients, who resemble a training patient by chance. What counts is how far a bar goes beyond it.</p>
<div class="panels">${figure('exact', 'Exact copies')}${figure('near', 'Exact or near copies')}</div>${sideBySide(data, 'Copies beyond chance', 'copies', excess)}`;
};

const attributes = (data: ReportData): Markup | false => {
  const name = 'attribute-inference';
  const metric = metricNamed(data, name);
  return (
    metric !== undefined &&
    html`<h3>Attribute inference: can further codes of a known patient be guessed?</h3><p>${metric.about} The black tick is the same attack with real holdout patients in place of synthetic ones: that much follows from medical knowledge alone. Only the advantage over it is due to the synthetic cohort.</p>
<div class="panels">${barsFigure(data, { metric: name, row: 'f1', title: 'F1 of guessed codes', base: 0 })}${barsFigure(data, { metric: name, row: 'excess', title: 'F1 advantage over real patients', base: 0, line: { at: 0, label: 'no advantage' } })}</div>`
  );
};

const identity = (data: ReportData): Markup | false => {
  const name = 'identity-disclosure';
  const metric = metricNamed(data, name);
  return (
    metric !== undefined &&
    html`<h3>Can a person be recognized?</h3><p>${metric.about} The black tick: real holdout patients in place of synthetic ones.</p>
<div class="panels">${barsFigure(data, { metric: name, row: 'risk', title: 'Identity disclosure risk', base: 0, line: { at: 0.09, label: 'threshold 0.09' } })}</div>`
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

/** Headline rows of metrics without a figure of their own on this page. */
const others = (data: ReportData): Markup | false => {
  const rest = data.metrics.filter(
    ({ family, metric }) => family === 'privacy' && !known.has(metric) && !metric.startsWith('membership-'),
  );
  return (
    rest.length > 0 &&
    html`<h3>Other attacks</h3>${rest.map((metric) => html`<p><a href="#metric-${metric.metric}">${metric.title}</a>: ${metric.about}</p><div class="panels">${leadOf(data, metric).map((row) => barsFigure(data, { metric: metric.metric, row: row.row, title: row.title, base: 0 }))}</div>`)}`
  );
};

/** What attacks found in the synthetic cohorts; null where no attack was run. */
export const privacy = (data: ReportData): Section | null => {
  if (!data.metrics.some(({ family }) => family === 'privacy')) return null;
  return {
    id: 'privacy',
    title: 'Privacy',
    short: 'Privacy',
    body: html`<p>Attacks on the synthetic cohorts by an attacker who has the cohorts and knows real patients: ${counted(data.real.patients, 'training patient')} against ${counted(data.holdout.patients, 'holdout patient')} outside the training set. Other attacks may find more.</p>${membership(data)}${neighbors(data)}${copied(data)}${attributes(data)}${attributeImputation(data)}${identity(data)}${others(data)}`,
  };
};
