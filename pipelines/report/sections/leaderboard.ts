import { html, type Markup } from '../markup.ts';
import { counted, decimal, integer } from '../number-format.ts';
import type { Headline } from '../ranking.ts';
import type { ReportData, ReportGenerator } from '../report-data.ts';
import { copyButton, direction, generatorName, heading, numberCell, type Section, table } from './section.ts';

const best = ({ values, better }: Headline): number | null => {
  const known = values.flatMap(({ value }) => (value === null ? [] : [value]));
  if (known.length < 2) return null;
  return better === 'higher' ? Math.max(...known) : Math.min(...known);
};

const cell = (headline: Headline, value: number | null, kind = '', note = 'not defined'): Markup => {
  if (value === null) return numberCell(null, html`<abbr title="${note}">–</abbr>`, kind);
  const bar = headline.better === 'higher' && headline.row.endsWith('r2');
  const isBest = value === best(headline) && kind === '';
  const shown = isBest
    ? html`<strong title="best in this column">${decimal(value)}</strong>`
    : decimal(value);
  const width = Math.round(Math.max(0, Math.min(1, value)) * 100);
  return numberCell(
    value,
    bar ? html`<span class="bar" style="--share:${width}%">${shown}</span>` : shown,
    kind,
  );
};

const generatorRow = (data: ReportData, generator: ReportGenerator): Markup =>
  html`<tr${
    generator.isFloor && html` class="floor"`
  }><th scope="row">${generatorName(data, generator.name)}</th>${numberCell(
    generator.patients,
    integer(generator.patients),
  )}${data.headlines.map((headline) => {
    const found = headline.values.find((value) => value.generator === generator.name);
    return cell(headline, found?.value ?? null, '', found?.note);
  })}</tr>`;

const holdoutRow = (data: ReportData): Markup =>
  html`<tr class="holdout"><th scope="row"><span class="generator"><i class="swatch ring"></i>real holdout</span> <span class="badge">reference</span></th>${numberCell(
    data.holdout.patients,
    integer(data.holdout.patients),
  )}${data.headlines.map((headline) => cell(headline, headline.holdout, 'reference'))}</tr>`;

const holdoutNote = ({ real, holdout }: ReportData): Markup | false =>
  holdout.patients > 0 &&
  html`<p class="note">The last row puts ${counted(holdout.patients, 'real holdout patient')}, whom no generator has seen, in the place of a synthetic cohort. ${
    holdout.patients < real.patients &&
    html`They are fewer than the ${integer(real.patients)} training patients, and rare codes need many patients: chance alone lowers this row, so read it as a reference, not as the best that is possible.`
  }</p>`;

/** Generators against the headline numbers. */
export const leaderboard = (data: ReportData): Section => {
  const head = html`<tr>${heading('Generator')}${heading('Patients', 'patients in the cohort', 'number')}${data.headlines.map(
    (headline) =>
      heading(
        html`<a href="#metric-${headline.metric}">${headline.heading}</a> ${direction(headline.better)}`,
        `${headline.title}: ${headline.about}`,
        'number',
      ),
  )}</tr>`;
  const rows = [
    ...data.generators.map((generator) => generatorRow(data, generator)),
    ...(data.holdout.patients > 0 ? [holdoutRow(data)] : []),
  ];
  const body =
    data.generators.length === 0
      ? html`<p>No generator came as far as a scorecard in this run; see the lineage for what was made.</p>`
      : html`<p>Every synthetic cohort against the ${counted(data.real.patients, 'real patient')} of the training split, best R² of pairs first. R² is 1 when all frequencies agree and below 0 when they are worse than a constant; distances are 0 when the distributions agree.</p>
${table('Leaderboard', head, rows, 'leaderboard')}
${holdoutNote(data)}${copyButton('headlines', 'the leaderboard')}`;
  return { id: 'leaderboard', title: 'Leaderboard', short: 'Leaderboard', body };
};
