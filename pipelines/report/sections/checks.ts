import { families } from '../../../schemas/scorecard.ts';
import { counted, decimal, integer, listed, percent } from '../../kernel/number-format.ts';
import type { Check, Verdict } from '../../verdicts/checks.ts';
import type { Outcome } from '../../verdicts/judge.ts';
import type { Headline } from '../../verdicts/ranking.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { missingByReason } from './all-numbers.ts';
import {
  between,
  coloredName,
  copyButton,
  defined,
  familyTitles,
  fold,
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

const againstBaseline = (data: ReportData, name: string, baseline: string) => {
  const results = compared(data).map((headline) => ({ headline, won: wins(headline, name, baseline) }));
  const headings = (result: boolean | null) =>
    results.filter(({ won }) => won === result).map(({ headline }) => headline.heading);
  const [ahead, behind, open] = [headings(true), headings(false), headings(null)];
  const list = html`<li><strong>${name}</strong>${ahead.length > 0 && `: ahead on ${ahead.join('; ')}`}${
    behind.length > 0 && `${ahead.length > 0 ? ';' : ':'} not on ${behind.join('; ')}`
  }${open.length > 0 && `; cannot be compared: ${open.join('; ')}`}.</li>`;
  return { count: `${name} is ahead of the baseline on ${ahead.length} of ${results.length}`, list };
};

const baselineFindings = (data: ReportData): Markup => {
  const models = data.generators.filter(({ isBaseline }) => !isBaseline);
  const baseline = data.generators.find(({ isBaseline }) => isBaseline);
  if (!baseline)
    return html`<p>This run has no baseline. Without independent marginals beside them, the numbers do not show how hard they are to reach.</p>`;
  const found = models.map(({ name }) => againstBaseline(data, name, baseline.name));
  return html`<p>The baseline, <strong>${baseline.name}</strong>, samples every code independently of all others (independent marginals). A model that does not beat it has learned nothing about which codes occur together. Of the headline numbers of similarity and utility, without regard to chance, ${listed(found.map(({ count }) => count))}.</p>${
    found.length > 0 &&
    fold('On which numbers a model is ahead of the baseline', html`<ul>${found.map(({ list }) => list)}</ul>`)
  }`;
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

/** Privacy before utility before similarity: what a release depends on. */
const urgency = ['privacy', 'utility', 'similarity'] as const;
const has = ({ verdicts }: Check, outcome: Outcome): boolean =>
  verdicts.some((verdict) => verdict.outcome === outcome);
const rank = (check: Check): number => (has(check, 'failed') ? 0 : has(check, 'unknown') ? 1 : 2);

/** Worst finding first: what fails, what is inconclusive, what every generator passes. */
const worstFirst = (checks: readonly Check[]): Check[] =>
  [...checks].sort((a, b) => rank(a) - rank(b) || urgency.indexOf(a.family) - urgency.indexOf(b.family));

/** Longer reasons are in the fold of rules and reasons alone. */
const longestReason = 75;

/** The reason that all inconclusive results of a check share. */
const sharedReason = ({ verdicts }: Check): string | undefined => {
  const reasons = new Set(verdicts.filter(({ outcome }) => outcome === 'unknown').map(({ why }) => why));
  const [only] = reasons;
  return reasons.size === 1 && only !== undefined && only.length <= longestReason ? only : undefined;
};

const resultCell = (name: string, verdict: Verdict | undefined, reason: string | undefined): Markup => {
  if (!verdict)
    return html`<td role="cell" class="number" data-label="${name}"><abbr title="not judged by this check">–</abbr></td>`;
  const { outcome, value, interval, why = '' } = verdict;
  const own = outcome === 'unknown' && reason === undefined && why.length <= longestReason ? why : '';
  return html`<td role="cell" class="number" data-label="${name}"><span>${outcomeMark(outcome)} ${value === null ? '–' : decimal(value)}${
    interval && html`<span class="interval">${between(interval)}</span>`
  }${own !== '' && html`<span class="reason">${own}</span>`}</span></td>`;
};

const checkRow = (data: ReportData, check: Check): Markup => {
  const reason = sharedReason(check);
  return html`<tr role="row"><th scope="row" role="rowheader">${checkTitle(data, check)} <span class="badge">${familyTitles[check.family].toLowerCase()}</span>${
    has(check, 'failed') && html`<span class="reason">${check.rule}</span>`
  }${reason !== undefined && html`<span class="reason">Inconclusive: ${reason}</span>`}</th>${data.generators.map(
    ({ name }) =>
      resultCell(
        name,
        check.verdicts.find(({ generator }) => generator === name),
        reason,
      ),
  )}</tr>`;
};

const checkTable = (data: ReportData, label: string, checks: readonly Check[]): Markup =>
  html`<div class="scroll">
<table role="table" class="board results"><caption class="hidden">${label}</caption><thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">Check</th>${data.generators.map(
    ({ name }) => html`<th scope="col" role="columnheader" class="number">${coloredName(data, name)}</th>`,
  )}</tr></thead><tbody role="rowgroup">${checks.map((check) => checkRow(data, check))}</tbody></table></div>`;

/** A family without checks, or not measured. */
const familyNote = (data: ReportData, family: Check['family']): string[] => {
  if (family === 'similarity') return [];
  if (!data.metrics.some((metric) => metric.family === family))
    return [`${familyTitles[family]}: inconclusive, not measured.`];
  return data.checks.some((check) => check.family === family)
    ? []
    : [`${familyTitles[family]}: measured, without a threshold to pass or fail.`];
};

/** How often checks fail by chance, when several are made and one failure is enough. */
const familyWise = ({ checksAtOnce, generators }: ReportData): string => {
  if (checksAtOnce < 2) return '';
  const all = percent(Math.min(1, 0.025 * generators.length));
  return ` ${checksAtOnce} checks are made of each generator at once, and one failure is enough, so a check fails only by its 95% interval widened for ${checksAtOnce} checks (Bonferroni, normal approximation). As far as the intervals cover what they state, a generator without any fault then fails some check in at most ${percent(0.025)} of runs${generators.length > 1 ? `, and some of the ${generators.length} generators in at most ${all}` : ''}; no correction is made for the number of generators, so that a verdict does not depend on what else is in the run. A pass is judged by the plain interval: a generator is good only where every check passes.`;
};

const results = (data: ReportData): Markup => {
  const checks = worstFirst(data.checks);
  const [open, passed] = [
    checks.filter((check) => rank(check) < 2),
    checks.filter((check) => rank(check) === 2),
  ];
  return html`<p>Each check compares one number with a threshold that is stated with it; worst findings first. The title of a check is what it claims where it is passed.</p><ul class="tallies">${data.generators.map(({ name }) => tally(data, name))}</ul>${
    open.length > 0 && checkTable(data, 'Checks that fail or are inconclusive', open)
  }${
    passed.length > 0 &&
    html`<p>${open.length > 0 ? 'Passed by every generator' : 'Every check is passed by every generator'}: ${passed.map(({ short }) => short).join('; ')}.</p>${fold(
      `${counted(passed.length, 'check')} that every generator passes`,
      checkTable(data, 'Checks that every generator passes', passed),
    )}`
  }${fold(
    `Rules and reasons of ${counted(checks.length, 'check')}, and how many patients would settle what is inconclusive`,
    html`<p>A verdict follows from the interval alone, or where a rule says so from a p-value.${familyWise(data)}</p><p>Where a check is inconclusive, the number of patients that would settle it assumes that the value stays where it is and that the width of its interval shrinks with the square root of the number of patients.</p><ul class="checks">${checks.map((check) => checkItem(data, check))}</ul>`,
  )}`;
};

/** What was checked, with which result, and what was not checked. */
export const checked = (data: ReportData): Section => {
  const missing = missingFamilies(data);
  const measured = families.filter((family) => !missing.includes(family));
  return {
    id: 'checked',
    title: 'What was checked, and what was not',
    short: 'Checks',
    body: html`${data.checks.length > 0 && results(data)}${families.flatMap((family) => familyNote(data, family)).map((note) => html`<p class="note">${note}</p>`)}
<h3>Compared with the baseline</h3>${baselineFindings(data)}
<h3>What was not checked</h3><ul>${missing.map((family) => notMeasured[family])}${measured.map((family) => staysOpen[family])}
${!hasIntervals(data) && html`<li>The numbers have no intervals, so it is open how much of a difference is chance. In small cohorts it is a lot.</li>`}
${undefinedNumbers(data)}</ul>${data.checks.length > 0 && copyButton('checks', 'the verdicts')}`,
  };
};
