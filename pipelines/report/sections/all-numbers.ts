import { html, type Markup } from '../markup.ts';
import type { MetricTable, TableRow } from '../metric-tables.ts';
import { decimal, integer, sentence } from '../number-format.ts';
import type { ReportData } from '../report-data.ts';
import {
  copyButton,
  direction,
  generatorName,
  heading,
  leftOutSentence,
  numberCell,
  type Section,
  table,
} from './section.ts';

const plain = (value: number | null): string => (value === null ? '–' : decimal(value));

/** The number, and below it what resampling patients makes of it. */
const withInterval = (found: TableRow['values'][number] | undefined): Markup | string => {
  const shown = plain(found?.value ?? null);
  if (!found?.interval) return shown;
  const [low, high] = found.interval;
  return html`${shown}<span class="row-about">${decimal(low)} to ${decimal(high)}</span>`;
};

const notes = (row: TableRow): string[] => [
  ...new Set(row.values.flatMap(({ note }) => (note === undefined ? [] : [note]))),
];

const sizes = ({ values }: TableRow): string => {
  const all = values.map(({ n }) => n);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return least === most ? integer(most) : `${integer(least)} – ${integer(most)}`;
};

const hasReal = ({ rows }: MetricTable): boolean => rows.some(({ real }) => real !== null);

const rowOf = (data: ReportData, metric: MetricTable, row: TableRow): Markup =>
  html`<tr><th scope="row"><span class="row-title">${row.title} ${direction(row.better)}</span><span class="row-about">${sentence(row.about)} ${notes(row).join(' ')}</span></th>${hasReal(metric) && numberCell(row.real, plain(row.real))}${data.generators.map(
    ({ name }) => {
      const found = row.values.find(({ generator }) => generator === name);
      return numberCell(found?.value ?? null, withInterval(found));
    },
  )}${data.holdout.patients > 0 && numberCell(row.holdout, plain(row.holdout), 'reference')}${numberCell(
    row.values[0]?.n ?? 0,
    sizes(row),
    'quiet',
  )}</tr>`;

const metricTable = (data: ReportData, metric: MetricTable): Markup =>
  html`<h3 id="metric-${metric.metric}">${metric.title} <code>${metric.metric}</code></h3><p>${metric.about}</p>${table(
    metric.title,
    html`<tr>${heading('Number')}${hasReal(metric) && heading('Real', 'the same quantity of the real training split', 'number')}${data.generators.map(
      ({ name }) => heading(generatorName(data, name), '', 'number'),
    )}${data.holdout.patients > 0 && heading('Holdout', 'real holdout patients in the place of the synthetic ones', 'number')}${heading(
      'n',
      'how many patients, visits or keys it is computed over',
      'number quiet',
    )}</tr>`,
    metric.rows.map((row) => rowOf(data, metric, row)),
    'numbers',
  )}${metric.leftOut > 0 && html`<p class="note">${leftOutSentence(metric.leftOut, 'row', data.suppressBelow)}</p>`}`;

/** Every row of every scorecard, with a sentence of what it says. */
export const allNumbers = (data: ReportData): Section => ({
  id: 'numbers',
  title: 'All numbers',
  short: 'All numbers',
  body: html`<p>Rows marked “the paper's way” repeat the computation of the published HALO code where ours differs. n is what a number is computed over: patients, visits, or the codes and pairs that either cohort has.</p>${copyButton('metrics', 'all numbers')}${data.metrics.map(
    (metric) => metricTable(data, metric),
  )}`,
});
