import { counted, decimal, integer, percent } from '../../kernel/number-format.ts';
import type { Check, Verdict } from '../../verdicts/checks.ts';
import type { Outcome } from '../../verdicts/judge.ts';
import type { Headline } from '../../verdicts/ranking.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { missingByReason } from './all-numbers.ts';
import {
  between,
  copyButton,
  defined,
  familyTitles,
  generatorName,
  outcomeMark,
  outcomeWords,
  type Section,
} from './section.ts';

const wins = (headline: Headline, name: string, baseline: string): boolean | null => {
  const of = (generator: string) =>
    headline.values.find((value) => value.generator === generator)?.value ?? null;
  const own = of(name);
  const other = of(baseline);
  if (own === null || other === null) return null;
  return headline.better === 'higher' ? own > other : own < other;
};

/**
 * Privacy is left out: that the baseline reveals nothing about single patients is no merit a model could
 * beat.
 */
const compared = ({ headlines }: ReportData): Headline[] =>
  headlines.filter(({ family, better }) => family !== 'privacy' && better !== 'closer-to-real');

const againstBaseline = (data: ReportData, name: string, baseline: string): Markup => {
  const results = compared(data).map((headline) => ({ headline, won: wins(headline, name, baseline) }));
  const headings = (result: boolean | null) =>
    results.filter(({ won }) => won === result).map(({ headline }) => headline.heading);
  const [ahead, behind, open] = [headings(true), headings(false), headings(null)];
  return html`<li><strong>${name}</strong> is ahead of the baseline on ${ahead.length} of ${results.length} headline numbers of similarity and utility${
    ahead.length > 0 && ` (${ahead.join('; ')})`
  }${behind.length > 0 && html`; <em>not</em> on ${behind.join('; ')}`}${
    open.length > 0 && `; cannot be compared: ${open.join('; ')}`
  }.</li>`;
};

const baselineFindings = (data: ReportData): Markup => {
  const models = data.generators.filter(({ isBaseline }) => !isBaseline);
  const baseline = data.generators.find(({ isBaseline }) => isBaseline);
  if (!baseline)
    return html`<p>This run has no baseline. Without independent marginals beside them, the numbers do not show how hard they are to reach.</p>`;
  return html`<p>The baseline, <strong>${baseline.name}</strong>, samples every code independently of all others (independent marginals). A model that does not beat it has learned nothing about which codes occur together.</p><ul>${models.map(
    ({ name }) => againstBaseline(data, name, baseline.name),
  )}</ul>`;
};

/** Greatest factor that is worth a number. */
const mostTimes = 10_000;

/**
 * About how many patients would settle an inconclusive check. The scarcer real patients are named: those of the
 * holdout, or where similarity has none, those of the training set.
 */
const settles = (
  data: ReportData,
  family: Check['family'],
  { outcome, timesPatients }: Pick<Verdict, 'outcome' | 'timesPatients'>,
): string => {
  if (outcome !== 'unknown') return '';
  if (timesPatients === undefined) return '';
  if (timesPatients === null) return 'how many patients would settle it cannot be stated';
  if (timesPatients > mostTimes)
    return `more than ${integer(mostTimes)} times as many patients would be needed`;
  const [side, now] =
    family === 'similarity' ? ['training', data.real.patients] : ['holdout', data.holdout.patients];
  const times = timesPatients < 10 ? timesPatients.toFixed(1) : integer(timesPatients);
  return `about ${times} times as many patients would settle it${
    now > 0
      ? ` (${counted(Math.ceil(now * timesPatients), `${side} patient`)} in place of ${integer(now)})`
      : ''
  }`;
};

const verdictItem = (
  data: ReportData,
  family: Check['family'],
  { generator, outcome, value, interval, why, timesPatients }: Verdict,
): Markup =>
  html`<li class="verdict ${outcome}">${outcomeMark(outcome)}<span>${generatorName(data, generator)} <em aria-hidden="true">${outcomeWords[outcome]}</em><span class="row-about">${
    value !== null && html`<strong>${decimal(value)}</strong>`
  }${interval && ` (${between(interval)})`}${value !== null && why && ', '}${[why, settles(data, family, { outcome, timesPatients })].filter(Boolean).join('; ')}</span></span></li>`;

/** The title, leading to the definition of the number where that is a metric's. */
const checkTitle = (data: ReportData, { metric, row, title }: Check): Markup | string =>
  data.metrics.some((table) => table.metric === metric) ? defined(data, metric, row, title) : title;

const checkItem = (data: ReportData, check: Check): Markup =>
  html`<li class="check"><p><strong>${checkTitle(data, check)}</strong><span class="row-about">${check.rule}</span></p><ul class="verdicts">${check.verdicts.map(
    (verdict) => verdictItem(data, check.family, verdict),
  )}</ul></li>`;

const tally = (data: ReportData, name: string): Markup => {
  const own = data.checks.flatMap(({ short, verdicts }) =>
    verdicts.filter(({ generator }) => generator === name).map(({ outcome }) => ({ short, outcome })),
  );
  const of = (outcome: Outcome) => own.filter((found) => found.outcome === outcome);
  const failed = of('failed');
  return html`<li>${generatorName(data, name)}: ${outcomeMark('passed')} ${of('passed').length} passed, ${outcomeMark('failed')} ${failed.length} failed, ${outcomeMark('unknown')} ${of('unknown').length} inconclusive.${
    failed.length > 0 && ` Failed: ${failed.map(({ short }) => short).join('; ')}.`
  }</li>`;
};

/** Numbers that could not be computed, by their most frequent reason; the fold of all numbers has every reason. */
const undefinedNumbers = ({ metrics }: ReportData): Markup | false => {
  const [first, ...others] = missingByReason(metrics);
  if (!first) return false;
  const all = metrics.flatMap(({ rows }) => rows.flatMap(({ values }) => values)).length;
  const missing = [first, ...others].reduce((sum, { count }) => sum + count, 0);
  return html`<li>Of ${counted(all, 'number')}, ${integer(missing)} could not be computed${
    others.length > 0
      ? `, for ${counted(others.length + 1, 'reason')}; most often (${counted(first.count, 'number')})`
      : ''
  }: ${first.why.replace(/\.$/, '')}. <a href="#numbers">Every reason</a></li>`;
};

/** The families of metrics that no scorecard holds. */
export const missingFamilies = (data: ReportData): string[] => {
  const present = new Set(data.metrics.map(({ family }) => family));
  return (['similarity', 'utility', 'privacy'] as const).filter((family) => !present.has(family));
};

const notMeasured: Record<string, Markup> = {
  similarity: html`<li><strong>Similarity was not measured.</strong> Nothing on this page shows whether the synthetic patients look like real ones.</li>`,
  privacy: html`<li><strong>Privacy was not measured.</strong> No attack was run, so it is open what these cohorts reveal about who was in the training data, or about their records. A generator that copies its training patients would look excellent on this page.</li>`,
  utility: html`<li><strong>Utility was not measured.</strong> No predictor was trained on synthetic and tested on real patients, so nothing on this page shows what the data are useful for.</li>`,
};

/** What stays open even where every check is passed. */
const staysOpen: Record<string, Markup> = {
  similarity: html`<li><strong>Similarity</strong> is measured by averages over whole cohorts. Whether a single record makes sense to a clinician was not examined. The order of codes inside a visit was not compared.</li>`,
  privacy: html`<li><strong>Privacy</strong> was tested by the attacks on this page and no others. Passing them is no proof: an attacker with another method, or with other data on the same people, may do better. No guarantee such as differential privacy is claimed.</li>`,
  utility: html`<li><strong>Utility</strong> was measured for the tasks on this page. Other tasks were not tested.</li>`,
};

const hasIntervals = (data: ReportData): boolean =>
  data.metrics.some(({ rows }) => rows.some(({ values }) => values.some(({ interval }) => interval)));

const familyChecks = (data: ReportData, family: keyof typeof familyTitles): Markup | false => {
  const checks = data.checks.filter((check) => check.family === family);
  const isMeasured = data.metrics.some((metric) => metric.family === family);
  const note = isMeasured
    ? checks.length === 0 && 'Measured, without a threshold to pass or fail.'
    : 'Inconclusive: not measured.';
  const noted = family !== 'similarity' && note && html`<p class="note">${note}</p>`;
  if (noted && checks.length === 0) return html`<h3>${familyTitles[family]}</h3>${noted}`;
  return html`<h3>${familyTitles[family]}</h3>${noted}${family === 'similarity' && baselineFindings(data)}<ul class="checks">${checks.map((check) => checkItem(data, check))}</ul>`;
};

/** How often checks fail by chance, when several are made and one failure is enough. */
const familyWise = ({ checksAtOnce, generators }: ReportData): string => {
  if (checksAtOnce < 2) return '';
  const all = percent(Math.min(1, 0.025 * generators.length));
  return ` ${checksAtOnce} checks are made of each generator at once, and one failure is enough, so a check fails only by its 95% interval widened for ${checksAtOnce} checks (Bonferroni, normal approximation). As far as the intervals cover what they state, a generator without any fault then fails some check in at most ${percent(0.025)} of runs${generators.length > 1 ? `, and some of the ${generators.length} generators in at most ${all}` : ''}; no correction is made for the number of generators, so that a verdict does not depend on what else is in the run. A pass is judged by the plain interval: a generator is good only where every check passes.`;
};

/** What was checked, with which result, and what was not checked. */
export const checked = (data: ReportData): Section => {
  const missing = missingFamilies(data);
  const open = (['similarity', 'utility', 'privacy'] as const).filter((family) => !missing.includes(family));
  return {
    id: 'checked',
    title: 'What was checked, and what was not',
    short: 'Checked',
    body: html`${
      data.checks.length > 0 &&
      html`<p>Each check compares one number with a threshold that is stated with it. A verdict follows from the interval alone.${familyWise(data)}</p><p>Where a check is inconclusive, the number of patients that would settle it assumes that the value stays where it is and that the width of its interval shrinks with the square root of the number of patients.</p><ul class="tallies">${data.generators.map(({ name }) => tally(data, name))}</ul>`
    }${(['similarity', 'utility', 'privacy'] as const).map((family) => familyChecks(data, family))}
<h3>What was not checked</h3><ul>${missing.map((family) => notMeasured[family])}${open.map((family) => staysOpen[family])}
${!hasIntervals(data) && html`<li>The numbers have no intervals, so it is open how much of a difference is chance. In small cohorts it is a lot.</li>`}
${undefinedNumbers(data)}</ul>${data.checks.length > 0 && copyButton('checks', 'the verdicts')}`,
  };
};
