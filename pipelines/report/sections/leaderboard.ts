import { counted, decimal, integer } from '../../kernel/number-format.ts';
import type { Headline } from '../../verdicts/ranking.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData, ReportGenerator } from '../report-data.ts';
import {
  copyButton,
  defined,
  direction,
  familyTitles,
  generatorName,
  heading,
  numberCell,
  outcomeMark,
  type Section,
  table,
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

/** The first column of a family has a line before it. */
const edge = (data: ReportData, headline: Headline): string =>
  data.headlines.find(({ family }) => family === headline.family) === headline ? 'first' : '';

const shareOf = ({ better, row }: Headline, value: number): number | null =>
  better === 'higher' && row.endsWith('r2') ? Math.round(Math.max(0, Math.min(1, value)) * 100) : null;

const generatorCell = (data: ReportData, headline: Headline, name: string): Markup => {
  const { value = null, interval, note } = headline.values.find(({ generator }) => generator === name) ?? {};
  const kind = edge(data, headline);
  if (value === null) return numberCell(null, html`<abbr title="${note ?? 'not defined'}">–</abbr>`, kind);
  const verdict = data.checks
    .find(({ metric, row }) => metric === headline.metric && row === headline.row)
    ?.verdicts.find(({ generator }) => generator === name);
  const number =
    value === best(headline)
      ? html`<strong title="best in this column">${decimal(value)}</strong>`
      : html`${decimal(value)}`;
  const marked =
    verdict && headline.family === 'privacy' ? html`${outcomeMark(verdict.outcome)} ${number}` : number;
  const share = shareOf(headline, value);
  const shown = share === null ? marked : html`<span class="bar" style="--share:${share}%">${marked}</span>`;
  return numberCell(value, withInterval(shown, interval), kind);
};

const generatorRow = (data: ReportData, { name, isBaseline, patients }: ReportGenerator): Markup =>
  html`<tr${isBaseline && html` class="baseline"`}><th scope="row">${generatorName(data, name)}</th>${numberCell(
    patients,
    integer(patients),
  )}${data.headlines.map((headline) => generatorCell(data, headline, name))}</tr>`;

/** Real patients in place of a generator. */
const referenceRow = (data: ReportData, name: string, patients: number, of: 'real' | 'holdout'): Markup =>
  html`<tr class="holdout"><th scope="row"><span class="generator"><i class="swatch ring"></i>${name}</span> <span class="badge">reference</span></th>${numberCell(
    patients,
    integer(patients),
  )}${data.headlines.map((headline) => {
    const value = headline[of];
    const kind = `reference ${edge(data, headline)}`;
    return numberCell(
      value,
      value === null ? html`<abbr title="there is none">–</abbr>` : decimal(value),
      kind,
    );
  })}</tr>`;

const referenceNote = (data: ReportData, hasReal: boolean): Markup => {
  const { real, holdout } = data;
  return html`${
    hasReal &&
    html`<p class="note">“real training” is the same quantity of the real training patients: for a predictor, its result when it is trained on them.</p>`
  }${
    holdout.patients > 0 &&
    html`<p class="note">“real holdout” is the real-vs-real reference: ${counted(holdout.patients, 'real holdout patient')}, whom no generator has seen, in place of a synthetic cohort. For attacks it is half of them; the other half are the patients outside the training set. ${
      holdout.patients < real.patients &&
      html`They are fewer than the ${integer(real.patients)} training patients, and rare codes need many patients: chance alone lowers this row. It is a reference, not an upper limit.`
    }</p>`
  }`;
};

const familyHeads = ({ headlines }: ReportData): Markup =>
  html`<tr class="families"><td colspan="2"></td>${(['similarity', 'utility', 'privacy'] as const).map(
    (family) => {
      const columns = headlines.filter((headline) => headline.family === family).length;
      return (
        columns > 0 &&
        html`<th scope="colgroup" colspan="${columns}" class="first">${familyTitles[family]}</th>`
      );
    },
  )}</tr>`;

const intervalNote = ({ headlines }: ReportData): string =>
  headlines.some(({ values }) => values.some(({ interval }) => interval))
    ? ' Small below a number: its 95% interval, by resampling patients.'
    : '';

/** Generators by the headline numbers of every family. */
export const leaderboard = (data: ReportData): Section => {
  const head = html`${familyHeads(data)}<tr>${heading('Generator')}${heading('Patients', 'patients in the cohort', 'number')}${data.headlines.map(
    (headline) =>
      heading(
        html`${defined(data, headline.metric, headline.row, headline.heading)} ${direction(headline.better)}`,
        `${headline.title}: ${headline.about}`,
        `number ${edge(data, headline)}`,
      ),
  )}</tr>`;
  const hasReal = data.headlines.some(({ real }) => real !== null);
  const rows = [
    ...data.generators.map((generator) => generatorRow(data, generator)),
    ...(hasReal ? [referenceRow(data, 'real training', data.real.patients, 'real')] : []),
    ...(data.holdout.patients > 0
      ? [referenceRow(data, 'real holdout', data.holdout.patients, 'holdout')]
      : []),
  ];
  const hasVerdicts = data.checks.some(
    ({ family, metric }) => family === 'privacy' && data.metrics.some((table) => table.metric === metric),
  );
  const body =
    data.generators.length === 0
      ? html`<p>No generator reached a scorecard in this run; see the lineage for what was made.</p>`
      : html`<p>Every synthetic cohort against the ${counted(data.real.patients, 'real patient')} of the training split, best same-visit co-occurrence R² first. R² is 1 when all frequencies agree and below 0 when they are worse than a constant; distances are 0 when the distributions agree.${intervalNote(data)} Headings lead to definitions.</p>
${hasVerdicts && html`<p class="note">Privacy numbers carry the verdict of <a href="#checked">what was checked</a>: ${(['passed', 'failed', 'unknown'] as const).map((outcome) => html`${outcomeMark(outcome)} ${{ passed: 'passed, ', failed: 'failed, ', unknown: 'inconclusive.' }[outcome]}`)}</p>`}
${table('Leaderboard', head, rows, 'leaderboard')}
${referenceNote(data, hasReal)}${copyButton('headlines', 'the leaderboard')}`;
  return { id: 'leaderboard', title: 'Leaderboard', short: 'Leaderboard', body };
};
