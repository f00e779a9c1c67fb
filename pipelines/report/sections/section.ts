import { counted, decimal } from '../../kernel/number-format.ts';
import type { Outcome } from '../../verdicts/judge.ts';
import { cellOfGenerator, type MetricTable, type TableRow, tableRow } from '../../verdicts/metric-tables.ts';
import { definitionOf } from '../definitions.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData, ReportGenerator } from '../report-data.ts';

/** A part of the page with its own heading and its place in the contents. */
export interface Section {
  id: string;
  title: string;
  /** In the contents, where there is little room. */
  short: string;
  body: Markup;
}

/** Name of a generator with its color. */
export const coloredName = (data: ReportData, name: string): Markup =>
  html`<span class="generator"><i class="swatch" style="background:${generatorNamed(data, name)?.color ?? 'var(--soft)'}"></i>${name}</span>`;

/** The same, with a badge where it is the baseline. */
export const generatorName = (data: ReportData, name: string): Markup =>
  html`${coloredName(data, name)}${generatorNamed(data, name)?.isBaseline === true && html` <span class="badge">baseline</span>`}`;

export const generatorNamed = (data: ReportData, name: string): ReportGenerator | undefined =>
  data.generators.find((candidate) => candidate.name === name);

/** A table that scrolls sideways in its own box; `rows` are whole `<tr>` elements. */
export const table = (
  label: string,
  head: Markup,
  rows: readonly Markup[],
  kind = '',
): Markup => html`<div class="scroll" role="region" aria-label="${label}" tabindex="0">
<table class="${kind}"><caption class="hidden">${label}</caption><thead>${head}</thead><tbody>${rows}</tbody></table></div>`;

/**
 * What few readers need, closed behind one line that states what is inside; print leaves it out. Links into it open it.
 */
export const fold = (summary: string | Markup, body: Markup, id = ''): Markup =>
  html`<details class="fold"${id && html` id="${id}"`}><summary>${summary}</summary>${body}</details>`;

/**
 * Small multiples side by side: the first few, and the others in a fold, so that a run with many generators or metrics
 * does not bury what comes after.
 */
export const panels = (figures: readonly Markup[], what: string, kind = ''): Markup | false => {
  const most = 6;
  const grid = (some: readonly Markup[]) => html`<div class="panels ${kind}">${some}</div>`;
  if (figures.length === 0) return false;
  if (figures.length <= most) return grid(figures);
  const others = figures.slice(most);
  return html`${grid(figures.slice(0, most))}${fold(`${counted(others.length, `further ${what}`)}`, grid(others))}`;
};

/** A generator's value of a row; null where it has none. */
export const valueIn = (data: ReportData, metric: string, row: string, generator: string): number | null =>
  cellOfGenerator(tableRow(data.metrics, metric, row), generator)?.value ?? null;

/** A column heading that the page's script makes sortable. */
export const heading = (text: string | Markup, hint = '', kind = ''): Markup =>
  html`<th scope="col" class="${kind}" data-sort${hint && html` title="${hint}"`}>${text}</th>`;

/** A cell whose number sorts and copies in full precision. */
export const numberCell = (value: number | null, shown: string | Markup, kind = ''): Markup =>
  html`<td class="number ${kind}" data-value="${value ?? ''}">${shown}</td>`;

export const arrows = { higher: '↑', lower: '↓', 'closer-to-real': '≈' };
const directions = {
  higher: 'higher is better',
  lower: 'lower is better',
  'closer-to-real': 'closer to the real value is better',
};

/** An arrow for the direction that is better; screen readers get the words. */
export const direction = (better: keyof typeof arrows): Markup =>
  html`<span class="better" role="img" aria-label="${directions[better]}" title="${directions[better]}">${arrows[better]}</span>`;

/** How many of something are not shown because too few real patients have it. */
export const leftOutSentence = (n: number, what: string, enough: number): string => {
  if (enough < 2) return `No ${what} is left out for being rare.`;
  return n === 0
    ? `No ${what} is left out: ${enough} or more real training patients have each.`
    : `Left out: ${counted(n, what)} that fewer than ${enough} real training patients have.`;
};

/** Copies the named part of the page's numbers as JSON; hidden where there is no script. */
export const copyButton = (part: string, what: string): Markup =>
  html`<button type="button" class="copy" data-copy="${part}" hidden>Copy ${what} as JSON</button>`;

/** Text that leads to the definition of a row's number. */
export const defined = (data: ReportData, metric: string, row: string, text: string | Markup): Markup =>
  html`<a class="defined" href="#${definitionOf(data.metrics, metric, row)}">${text}</a>`;

/** `0.47 to 0.55`. */
export const between = ([low, high]: readonly [number, number], format = decimal): string =>
  `${format(low)} to ${format(high)}`;

/** A value and, small below it, its interval. */
export const withInterval = (
  shown: string | Markup,
  interval: readonly [number, number] | undefined,
  format = decimal,
): string | Markup =>
  interval ? html`${shown}<span class="interval">${between(interval, format)}</span>` : shown;

export const familyTitles = { similarity: 'Similarity', utility: 'Utility', privacy: 'Privacy' } as const;

/** A mark that is readable without its color: a sign, and a word for screen readers. */
export const outcomeMark = (outcome: Outcome, word: string = outcomeWords[outcome]): Markup =>
  html`<span class="outcome ${outcome}"><span aria-hidden="true">${{ passed: '✓', failed: '✗', unknown: '?' }[outcome]}</span><span class="hidden">${word}</span></span>`;

export const outcomeWords: Record<Outcome, string> = {
  passed: 'passed',
  failed: 'failed',
  unknown: 'inconclusive',
};

/**
 * Switches between the logarithmic and the linear charts among its following siblings; works without script.
 */
export const scaleSwitch = (id: string): Markup => html`<fieldset class="switch"><legend>Scale</legend>
<label><input type="radio" name="${id}-scale" value="log" checked> logarithmic</label>
<label><input type="radio" name="${id}-scale" value="linear"> linear</label></fieldset>`;

/** The rows of a metric that are columns of the leaderboard; its first row where none is. */
export const leadOf = ({ headlines }: ReportData, { metric, rows }: MetricTable): TableRow[] => {
  const leads = rows.filter(({ row }) => headlines.some((h) => h.metric === metric && h.row === row));
  return leads.length > 0 ? leads : rows.slice(0, 1);
};
