import { counted, decimal, integer, listed } from '../../kernel/number-format.ts';
import {
  cellOfGenerator,
  isReference,
  type MetricTable,
  type TableRow,
} from '../../verdicts/metric-tables.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import {
  defined,
  direction,
  familyTitles,
  fold,
  generatorName,
  heading,
  leftOutSentence,
  numberCell,
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

const hasValue = ({ values }: TableRow): boolean => values.some(({ value }) => value !== null);

/** Numbers without a value, counted by reason: a cohort too small for labels misses hundreds. */
export const missingByReason = (metrics: readonly MetricTable[]) => {
  const reasons = new Map<string, { count: number; generators: Set<string> }>();
  for (const { value, generator, note = 'no reason given' } of metrics.flatMap(({ rows }) =>
    rows.flatMap(({ values }) => values),
  )) {
    if (value !== null) continue;
    const reason = reasons.get(note) ?? { count: 0, generators: new Set<string>() };
    reason.count++;
    reason.generators.add(generator);
    reasons.set(note, reason);
  }
  return [...reasons]
    .map(([why, { count, generators }]) => ({ why, count, generators: [...generators] }))
    .sort((a, b) => b.count - a.count);
};

const missing = (metric: MetricTable): Markup | false => {
  const reasons = missingByReason([metric]);
  return (
    reasons.length > 0 &&
    html`<p class="note">Could not be computed:</p><ul class="note">${reasons.map(
      ({ why, count, generators }) =>
        html`<li>${counted(count, 'number')} of ${listed(generators)}: ${why}</li>`,
    )}</ul>`
  );
};

/** Rows that no generator has a value in are counted by reason, not listed. */
const metricTable = (data: ReportData, metric: MetricTable): Markup => {
  const rows = metric.rows.filter(hasValue);
  const shown = { ...metric, rows };
  return html`<h4 id="metric-${metric.metric}"><a href="#define-${metric.metric}">${metric.title}</a> <code>${metric.metric}</code></h4>${
    rows.length > 0 &&
    table(
      metric.title,
      html`<tr>${heading('Number')}${has('real', shown) && heading('Real', 'the same quantity of the real training split', 'number')}${data.generators.map(
        ({ name }) => heading(generatorName(data, name), '', 'number'),
      )}${has('holdout', shown) && heading('Holdout', 'real-vs-real reference: real holdout patients in place of the synthetic ones', 'number')}${heading(
        'n',
        'how many patients, visits or keys it is computed over',
        'number quiet',
      )}</tr>`,
      rows.map((row) => rowOf(data, shown, row)),
      'numbers',
    )
  }${missing(metric)}${metric.leftOut > 0 && html`<p class="note">${leftOutSentence(metric.leftOut, 'row', data.suppressBelow)}</p>`}`;
};

/** How many numbers there are, and how many of them could not be computed: `252 numbers, 20 not computed`. */
const numberCount = (metrics: readonly MetricTable[]): string => {
  const values = metrics.flatMap(({ rows }) => rows.flatMap((row) => row.values));
  const without = values.filter(({ value }) => value === null).length;
  return `${counted(values.length, 'number')}${without > 0 ? `, of which ${integer(without)} could not be computed` : ''}`;
};

/** Every row of every scorecard, a fold for each family; each leads to its definition. */
export const allNumbers = (data: ReportData): Markup =>
  html`<p>Rows in gray, “the paper's way” and the like, repeat a published computation where ours differs. n is what a number is computed over: patients, visits, or the codes and pairs that either cohort has.</p>${(
    ['similarity', 'utility', 'privacy'] as const
  ).map((family) => {
    const tables = data.metrics.filter((metric) => metric.family === family);
    return (
      tables.length > 0 &&
      fold(
        `${familyTitles[family]}: ${counted(tables.length, 'metric')}, ${numberCount(tables)}`,
        html`${tables.map((metric) => metricTable(data, metric))}`,
      )
    );
  })}`;
