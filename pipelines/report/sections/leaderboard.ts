import { families } from '../../../schemas/scorecard.ts';
import { counted, decimal, integer } from '../../kernel/number-format.ts';
import type { Headline } from '../../verdicts/ranking.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData, ReportGenerator } from '../report-data.ts';
import {
  arrows,
  coloredName,
  copyButton,
  defined,
  direction,
  familyTitles,
  fold,
  outcomeMark,
  outcomeWords,
  type Section,
  withInterval,
} from './section.ts';

/** The best of a column; none for privacy, where a value below guessing is no better than guessing. */
const best = ({ family, values, better, real }: Headline): number | null => {
  const known = values.flatMap(({ value }) => (value === null ? [] : [value]));
  if (known.length < 2 || family === 'privacy') return null;
  if (better === 'closer-to-real')
    return known.reduce((a, b) => (Math.abs(b - (real ?? 0)) < Math.abs(a - (real ?? 0)) ? b : a));
  return better === 'higher' ? Math.max(...known) : Math.min(...known);
};

const shareOf = ({ better, row }: Headline, value: number): number | null =>
  better === 'higher' && row.endsWith('r2') ? Math.round(Math.max(0, Math.min(1, value)) * 100) : null;

/** A cell that states its column by itself: on a phone a row becomes a card, and there are no columns. */
const labeledCell = ({ heading: label, better }: Headline, value: number | null, shown: Markup, kind = '') =>
  html`<td role="cell" class="number ${kind}" data-label="${label} ${arrows[better]}" data-value="${value ?? ''}"><span>${shown}</span></td>`;

const none = (why: string): Markup => html`<abbr title="${why}">–</abbr>`;

const generatorCell = (data: ReportData, headline: Headline, name: string): Markup => {
  const { value = null, interval, note } = headline.values.find(({ generator }) => generator === name) ?? {};
  const verdict = data.checks
    .find(({ metric, row }) => metric === headline.metric && row === headline.row)
    ?.verdicts.find(({ generator }) => generator === name);
  const mark = verdict && html`${outcomeMark(verdict.outcome)} `;
  if (value === null) return labeledCell(headline, null, html`${mark}${none(note ?? 'not defined')}`);
  const number =
    value === best(headline)
      ? html`${mark}<strong title="best in this column">${decimal(value)}</strong>`
      : html`${mark}${decimal(value)}`;
  const share = shareOf(headline, value);
  const shown = share === null ? number : html`<span class="bar" style="--share:${share}%">${number}</span>`;
  return labeledCell(headline, value, html`${withInterval(shown, interval)}`);
};

const nameCell = (name: Markup, patients: number, role = ''): Markup =>
  html`<th scope="row" role="rowheader">${name}<span class="interval">${role}${counted(patients, 'patient')}</span></th>`;

const generatorRow = (
  data: ReportData,
  columns: readonly Headline[],
  { name, isBaseline, patients }: ReportGenerator,
): Markup =>
  html`<tr role="row"${isBaseline && html` class="baseline"`}>${nameCell(coloredName(data, name), patients, isBaseline ? 'baseline, ' : '')}${columns.map((headline) => generatorCell(data, headline, name))}</tr>`;

/** Real patients in place of a generator; nothing where no column has a value of theirs. */
const referenceRow = (
  columns: readonly Headline[],
  name: string,
  patients: number,
  of: 'real' | 'holdout',
): Markup | false =>
  patients > 0 &&
  columns.some((headline) => headline[of] !== null) &&
  html`<tr role="row" class="holdout">${nameCell(
    html`<span class="generator"><i class="swatch ring"></i>${name}</span>`,
    patients,
    'reference, ',
  )}${columns.map((headline) => {
    const value = headline[of];
    const kind = value === null ? 'reference absent' : 'reference';
    return labeledCell(
      headline,
      value,
      value === null ? none('there is none') : html`${decimal(value)}`,
      kind,
    );
  })}</tr>`;

const referenceNote = (data: ReportData): Markup => {
  const { real, holdout } = data;
  return html`${
    data.headlines.some((headline) => headline.real !== null) &&
    html`<p class="note">“real training” is the same quantity of the real training patients: for a predictor, its result when it is trained on them.</p>`
  }${
    holdout.patients > 0 &&
    html`<p class="note">“real holdout” is the real-vs-real reference: ${counted(holdout.patients, 'real holdout patient')}, whom no generator has seen, in place of a synthetic cohort. For attacks it is half of them; the other half are the patients outside the training set. ${
      holdout.patients < real.patients &&
      html`They are fewer than the ${integer(real.patients)} training patients, and rare codes need many patients: chance alone lowers this row. It is a reference, not an upper limit.`
    }</p>`
  }`;
};

const intervalNote = ({ headlines }: ReportData): string =>
  headlines.some(({ values }) => values.some(({ interval }) => interval))
    ? ' Small below a number: its 95% interval.'
    : '';

/** So many columns fit 1,108 px; a family that has more of them continues in a fold. */
const mostColumns = 8;

/** Columns that decide a verdict first, as far as there is room; all in the order of the metrics. */
const shownFirst = (data: ReportData, columns: readonly Headline[]): Headline[] => {
  const decides = ({ metric, row }: Headline) =>
    data.checks.some((check) => check.metric === metric && check.row === row);
  const first = [...columns.filter(decides), ...columns.filter((column) => !decides(column))];
  const kept = new Set(first.slice(0, mostColumns));
  return columns.filter((column) => kept.has(column));
};

const familyTable = (data: ReportData, label: string, columns: readonly Headline[]): Markup =>
  html`<div class="scroll">
<table role="table" class="board leaderboard" style="--columns:${columns.length}"><caption class="hidden">${label}</caption><thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">Generator</th>${columns.map(
    ({ metric, row, heading: text, title, about, better }) =>
      html`<th scope="col" role="columnheader" class="number" data-sort title="${title}: ${about}">${defined(data, metric, row, text)} ${direction(better)}</th>`,
  )}</tr></thead><tbody role="rowgroup">${data.generators.map((generator) => generatorRow(data, columns, generator))}${referenceRow(
    columns,
    'real training',
    data.real.patients,
    'real',
  )}${referenceRow(columns, 'real holdout', data.holdout.patients, 'holdout')}</tbody></table></div>`;

const hasValue = ({ values }: Headline): boolean => values.some(({ value }) => value !== null);

/** Columns without any value are no columns, but a sentence. */
const notComputed = (columns: readonly Headline[]): Markup | false =>
  columns.length > 0 &&
  html`<p class="note">Could not be computed: ${columns.map(({ heading: text, values }, i) => {
    const notes = [...new Set(values.flatMap(({ note }) => note ?? []))];
    return `${i > 0 ? '; ' : ''}${text}${notes.length > 0 ? ` (${notes.map((note) => note.replace(/\.$/, '')).join('; ')})` : ''}`;
  })}.</p>`;

const familyTables = (data: ReportData, family: Headline['family']): Markup | false => {
  const all = data.headlines.filter((headline) => headline.family === family);
  if (all.length === 0) return false;
  const title = familyTitles[family];
  const known = all.filter(hasValue);
  const shown = shownFirst(data, known);
  const others = known.filter((headline) => !shown.includes(headline));
  const parts = Array.from({ length: Math.ceil(others.length / mostColumns) }, (_, i) =>
    others.slice(i * mostColumns, (i + 1) * mostColumns),
  );
  return html`<h3>${title}</h3>${shown.length > 0 && familyTable(data, `${title} of every generator`, shown)}${
    parts.length > 0 &&
    fold(
      `${counted(others.length, 'further number')} of ${title.toLowerCase()}`,
      html`${parts.map((part, i) => familyTable(data, `${title} of every generator, part ${i + 2}`, part))}`,
    )
  }${notComputed(all.filter((headline) => !hasValue(headline)))}`;
};

/** Generators by the headline numbers: a table for each family, none wider than the page. */
export const leaderboard = (data: ReportData): Section => ({
  id: 'leaderboard',
  title: 'Leaderboard',
  short: 'Leaderboard',
  body:
    data.generators.length === 0
      ? html`<p>No generator reached a scorecard in this run; see the lineage for what was made.</p>`
      : html`<p>Every synthetic cohort against the ${counted(data.real.patients, 'real patient')} of the training split, best same-visit co-occurrence R² first. R² is 1 when all frequencies agree and below 0 when they are worse than a constant; distances are 0 when the distributions agree.${intervalNote(data)} ${
          data.checks.length > 0 &&
          html`A number with a threshold carries the result of its <a href="#checked">check</a>: ${(['passed', 'failed', 'unknown'] as const).map((outcome, i) => html`${i > 0 && ', '}${outcomeMark(outcome)} <span aria-hidden="true">${outcomeWords[outcome]}</span>`)}. `
        }Headings lead to definitions.</p>
${families.map((family) => familyTables(data, family))}${referenceNote(data)}${copyButton('headlines', 'the leaderboard')}`,
});
