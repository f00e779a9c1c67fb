import { decimal, listed } from '../../kernel/number-format.ts';
import { cellOfGenerator, tableRow } from '../../verdicts/metric-tables.ts';
import { type BarScale, domainOf, type IntervalBar, intervalBars } from '../charts/interval-bars.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { defined, direction } from './section.ts';

/** A row as bars, a generator each. */
export interface BarsFigure {
  metric: string;
  row: string;
  title: string;
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
export const barsOf = (
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

/** A figure that compares the generators by one row; nothing where there is no such row. */
export const barsFigure = (data: ReportData, figure: BarsFigure): Markup | false => {
  const { metric, row, title, base, line, format = decimal, tick, referenceIs = 'real holdout' } = figure;
  const bars = barsOf(data, metric, row, tick);
  if (!bars) return false;
  const better = tableRow(data.metrics, metric, row)?.better ?? 'lower';
  const domain = figure.domain ?? domainOf(bars, [base, ...(line ? [line.at] : [])]);
  const caption = { id: `bars-${metric}-${row}`, title, description: inWords(bars, format) };
  const drawn = bars.some(({ value }) => value !== null)
    ? intervalBars(bars, { domain, base, format, referenceIs, ...(line && { line }) }, caption)
    : html`<p class="empty">Nothing to show: no value could be computed.</p>`;
  return html`<figure><figcaption>${defined(data, metric, row, title)} ${direction(better)}</figcaption>${drawn}</figure>`;
};
