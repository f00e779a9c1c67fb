import { counted, decimal, listed } from '../../kernel/number-format.ts';
import { cellOfGenerator, type MetricTable, tableRow } from '../../verdicts/metric-tables.ts';
import { type BarScale, domainOf, type IntervalBar, intervalBars } from '../charts/interval-bars.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { defined, direction, fold, leadOf, panels } from './section.ts';

/** A row as bars, a generator each. */
export interface BarsFigure {
  metric: string;
  row: string;
  title: string;
  /** What it shows, below the chart. */
  about?: string | Markup;
  base: number;
  line?: BarScale['line'];
  /** Shared by neighboring figures. */
  domain?: [number, number];
  format?: (value: number) => string;
  /** What a black tick beside a bar shows; default: the real holdout in the generator's place. */
  tick?: 'real' | 'holdout';
  referenceIs?: string;
}

/** The bars of a row; undefined where there is no such row. */
const barsOf = (
  data: ReportData,
  metric: string,
  row: string,
  tick: 'real' | 'holdout' = 'holdout',
): IntervalBar[] | undefined => {
  const found = tableRow(data.metrics, metric, row);
  return (
    found &&
    data.generators.map(({ name, color }): IntervalBar => {
      const { value = null, interval } = cellOfGenerator(found, name) ?? {};
      return { label: name, color, value, ...(interval && { interval }), reference: found[tick] };
    })
  );
};

const inWords = (bars: readonly IntervalBar[], format: (value: number) => string): string =>
  listed(
    bars.map(
      ({ label, value, interval }) =>
        `${label} ${value === null ? 'not defined' : format(value)}${interval ? ` (${format(interval[0])} to ${format(interval[1])})` : ''}`,
    ),
  );

/** A figure that compares the generators by one row; none where no generator has a value of it. */
export const barsFigure = (data: ReportData, figure: BarsFigure): Markup[] => {
  const {
    metric,
    row,
    title,
    about,
    base,
    line,
    format = decimal,
    tick,
    referenceIs = 'real holdout',
  } = figure;
  const bars = barsOf(data, metric, row, tick);
  if (!bars?.some(({ value }) => value !== null)) return [];
  const better = tableRow(data.metrics, metric, row)?.better ?? 'lower';
  const domain = figure.domain ?? domainOf(bars, [base, ...(line ? [line.at] : [])]);
  const caption = { id: `bars-${metric}-${row}`, title, description: inWords(bars, format) };
  const chart = intervalBars(bars, { domain, base, format, referenceIs, line }, caption);
  return [
    html`<figure><figcaption>${defined(data, metric, row, title)} ${direction(better)}</figcaption>${chart}${about && html`<p class="note">${about}</p>`}</figure>`,
  ];
};

/**
 * Headline rows of metrics without a figure of their own on this page: those with a check are shown, the others are in a
 * fold.
 */
export const otherFigures = (data: ReportData, metrics: readonly MetricTable[]): Markup | false => {
  const drawn = metrics.flatMap((metric) =>
    leadOf(data, metric).flatMap(({ row, title }) => {
      const name = title.startsWith(metric.title) ? title : `${metric.title}: ${title}`;
      const figures = barsFigure(data, {
        metric: metric.metric,
        row,
        title: name,
        about: metric.about,
        base: 0,
      });
      const isChecked = data.checks.some((check) => check.metric === metric.metric && check.row === row);
      return figures.map((figure) => ({ figure, isChecked, title: metric.title }));
    }),
  );
  const shown = drawn.filter(({ isChecked }) => isChecked);
  const folded = drawn.filter(({ isChecked }) => !isChecked);
  if (drawn.length === 0) return false;
  return html`<h3>Further numbers</h3>${panels(
    shown.map(({ figure }) => figure),
    'figure',
  )}${
    folded.length > 0 &&
    fold(
      `${counted(folded.length, 'figure')} without a check: ${listed([...new Set(folded.map(({ title }) => title))])}`,
      html`<div class="panels">${folded.map(({ figure }) => figure)}</div>`,
    )
  }`;
};
