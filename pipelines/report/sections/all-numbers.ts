import { decimal, integer } from '../../kernel/number-format.ts';
import {
  cellOfGenerator,
  isReference,
  type MetricTable,
  type TableRow,
} from '../../verdicts/metric-tables.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import {
  copyButton,
  defined,
  direction,
  familyTitles,
  generatorName,
  heading,
  leftOutSentence,
  numberCell,
  type Section,
  table,
  withInterval,
} from './section.ts';

const plain = (value: number | null): string => (value === null ? '–' : decimal(value));

const notes = (row: TableRow): string => [...new Set(row.values.flatMap(({ note }) => note ?? []))].join(' ');

const sizes = ({ values }: TableRow): string => {
  const all = values.map(({ n }) => n);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return least === most ? integer(most) : `${integer(least)} – ${integer(most)}`;
};

const has = (of: 'real' | 'holdout', { rows }: MetricTable): boolean => rows.some((row) => row[of] !== null);

const rowOf = (data: ReportData, metric: MetricTable, row: TableRow): Markup => {
  const note = notes(row);
  return html`<tr${isReference(row) && html` class="published"`}><th scope="row">${defined(data, metric.metric, row.row, row.title)} ${direction(row.better)}${note !== '' && html`<span class="row-about">${note}</span>`}</th>${has('real', metric) && numberCell(row.real, plain(row.real))}${data.generators.map(
    ({ name }) => {
      const cell = cellOfGenerator(row, name);
      return numberCell(cell?.value ?? null, withInterval(plain(cell?.value ?? null), cell?.interval));
    },
  )}${has('holdout', metric) && numberCell(row.holdout, withInterval(plain(row.holdout), row.holdoutInterval), 'reference')}${numberCell(
    row.values[0]?.n ?? 0,
    sizes(row),
    'quiet',
  )}</tr>`;
};

const metricTable = (data: ReportData, metric: MetricTable): Markup =>
  html`<h4 id="metric-${metric.metric}"><a href="#define-${metric.metric}">${metric.title}</a> <code>${metric.metric}</code></h4>${
    metric.rows.length > 0 &&
    table(
      metric.title,
      html`<tr>${heading('Number')}${has('real', metric) && heading('Real', 'the same quantity of the real training split', 'number')}${data.generators.map(
        ({ name }) => heading(generatorName(data, name), '', 'number'),
      )}${has('holdout', metric) && heading('Holdout', 'real-vs-real reference: real holdout patients in place of the synthetic ones', 'number')}${heading(
        'n',
        'how many patients, visits or keys it is computed over',
        'number quiet',
      )}</tr>`,
      metric.rows.map((row) => rowOf(data, metric, row)),
      'numbers',
    )
  }${metric.leftOut > 0 && html`<p class="note">${leftOutSentence(metric.leftOut, 'row', data.suppressBelow)}</p>`}`;

/** Every row of every scorecard, family by family; each leads to its definition. */
export const allNumbers = (data: ReportData): Section => ({
  id: 'numbers',
  title: 'All numbers',
  short: 'All numbers',
  body: html`<p>Rows in gray, “the paper's way” and the like, repeat a published computation where ours differs. n is what a number is computed over: patients, visits, or the codes and pairs that either cohort has.</p>${copyButton('metrics', 'all numbers')}${(
    ['similarity', 'utility', 'privacy'] as const
  ).map((family) => {
    const tables = data.metrics.filter((metric) => metric.family === family);
    return (
      tables.length > 0 &&
      html`<h3>${familyTitles[family]}</h3>${tables.map((metric) => metricTable(data, metric))}`
    );
  })}`,
});
