import { counted, listed, sentence } from '../../kernel/number-format.ts';
import { isReference, type MetricTable, type Range, type TableRow } from '../../verdicts/metric-tables.ts';
import { definitionsOf } from '../definitions.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { familyTitles, fold } from './section.ts';

const rangeWords = ([low, high]: Range): string => {
  if (low === null && high === null) return 'any number';
  if (high === null) return `from ${low} up`;
  return low === null ? `up to ${high}` : `from ${low} to ${high}`.replaceAll('-', '−');
};

const directionWords = {
  higher: 'Higher is better',
  lower: 'Lower is better',
  'closer-to-real': 'Closer to the real value is better',
};

/** `AUC, 18 rows`, where all begin alike; else the titles, as far as there is room. */
const titlesOf = (rows: readonly TableRow[]): string => {
  const titles = rows.map(({ title }) => title);
  const beginnings = new Set(titles.map((title) => title.split(', ')[0]));
  if (titles.length > 3 && beginnings.size === 1) return `${[...beginnings].join()}, ${titles.length} rows`;
  return titles.length <= 3
    ? listed(titles)
    : `${titles.slice(0, 2).join(', ')} and ${counted(titles.length - 2, 'row')} more`;
};

const definition = (table: MetricTable, { id, rows }: { id: string; rows: TableRow[] }): Markup => {
  const [first] = rows;
  if (!first) return html``;
  const range = first.range ?? table.range;
  const published = rows.every(isReference)
    ? ' A published form, kept for comparison.'
    : rows.some(isReference) && " The paper's way repeats the published computation, for comparison.";
  return html`<dt id="${id}">${titlesOf(rows)}</dt><dd>${sentence(first.about)} ${directionWords[first.better]}${range && `; possible ${rangeWords(range)}`}.${published}</dd>`;
};

const metricDefinitions = (table: MetricTable): Markup =>
  html`<div class="definition"><h4 id="define-${table.metric}">${table.title} <code>${table.metric}</code></h4><p>${table.about} <a href="#metric-${table.metric}">Its numbers</a></p><dl>${definitionsOf(
    table,
  ).map((found) => definition(table, found))}</dl></div>`;

/** What every number on the page means, metric by metric, a fold for each family. */
export const definitions = (data: ReportData): Markup =>
  html`<p>An interval holds 95% of the values that resampling patients gives; it does not include the variation between synthetic cohorts of the same model. ↑ higher is better, ↓ lower, ≈ closer to the real value.</p>${(
    ['similarity', 'utility', 'privacy'] as const
  ).map((family) => {
    const tables = data.metrics.filter((metric) => metric.family === family);
    return (
      tables.length > 0 &&
      fold(
        `${familyTitles[family]}: definitions of ${counted(tables.length, 'metric')}`,
        html`${tables.map(metricDefinitions)}`,
      )
    );
  })}`;
