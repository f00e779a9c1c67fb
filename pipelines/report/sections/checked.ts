import { html, type Markup } from '../markup.ts';
import { counted, listed } from '../number-format.ts';
import type { Headline } from '../ranking.ts';
import { floorGenerator, type ReportData } from '../report-data.ts';
import type { Section } from './section.ts';

const wins = (headline: Headline, name: string): boolean | null => {
  const of = (generator: string) =>
    headline.values.find((value) => value.generator === generator)?.value ?? null;
  const own = of(name);
  const floor = of(floorGenerator);
  if (own === null || floor === null) return null;
  return headline.better === 'higher' ? own > floor : own < floor;
};

const againstFloor = (data: ReportData, name: string): Markup => {
  const compared = data.headlines.map((headline) => ({ headline, won: wins(headline, name) }));
  const headings = (result: boolean | null) =>
    compared.filter(({ won }) => won === result).map(({ headline }) => headline.heading);
  const [ahead, behind, open] = [headings(true), headings(false), headings(null)];
  return html`<li><strong>${name}</strong> is ahead of the floor on ${ahead.length} of ${data.headlines.length} headline numbers${
    ahead.length > 0 && ` (${listed(ahead)})`
  }${behind.length > 0 && html`; <em>not</em> on ${listed(behind)}`}${
    open.length > 0 && `; not to be compared: ${listed(open)}`
  }.</li>`;
};

const findings = (data: ReportData): Markup => {
  const models = data.generators.filter(({ isFloor }) => !isFloor);
  const hasFloor = models.length < data.generators.length;
  if (!hasFloor)
    return html`<p>This run has no floor: without the ${floorGenerator} generator beside them, the numbers do not say how hard they are to reach.</p>`;
  return html`<p>The floor, <strong>${floorGenerator}</strong>, samples every code on its own. A model that does not beat it has learned nothing about how codes go together.</p><ul>${models.map(
    ({ name }) => againstFloor(data, name),
  )}</ul>`;
};

const undefinedNumbers = (data: ReportData): Markup | false => {
  const missing = data.metrics.flatMap(({ rows }) =>
    rows.flatMap(({ title, values }) =>
      values.filter(({ value }) => value === null).map(({ generator, note }) => ({ title, generator, note })),
    ),
  );
  return (
    missing.length > 0 &&
    html`<li>${counted(missing.length, 'number')} could not be computed: ${missing
      .slice(0, 6)
      .map(({ title, generator, note }) => html`<br>${generator}, ${title}: ${note ?? 'no reason given'}`)}${
      missing.length > 6 &&
      html`<br>… and ${missing.length - 6} more, each with its reason in the table of all numbers`
    }</li>`
  );
};

/** The families of metrics that no scorecard holds. */
export const missingFamilies = (data: ReportData): string[] => {
  const present = new Set(data.metrics.map(({ family }) => family));
  return (['utility', 'privacy'] as const).filter((family) => !present.has(family));
};

const notYet: Record<string, Markup> = {
  privacy: html`<li><strong>Privacy was not measured.</strong> No attack was run: nobody tried to find out from these cohorts who was in the training data, or what they had. A generator that copies its training patients would look excellent on this page.</li>`,
  utility: html`<li><strong>Utility was not measured.</strong> No predictor was trained on synthetic and tested on real patients, so nothing here says what work the data would serve.</li>`,
};

const hasIntervals = (data: ReportData): boolean =>
  data.metrics.some(({ rows }) => rows.some(({ values }) => values.some(({ interval }) => interval)));

/** In words: what was looked at, how it came out, and what nobody has looked at. */
export const checked = (data: ReportData): Section => ({
  id: 'checked',
  title: 'What was checked, and what was not',
  short: 'Checked',
  body: html`<div class="columns"><div><h3>Checked</h3>${findings(data)}
<p>Compared were ${listed(data.metrics.map(({ title }) => title.toLowerCase()))}: all of them averages over whole cohorts.</p></div>
<div><h3>Not checked</h3><ul>${missingFamilies(data).map((family) => notYet[family])}
${!hasIntervals(data) && html`<li>The numbers carry no intervals: how much of a difference is chance is not known, and in small cohorts it is a lot.</li>`}
<li>Order of codes inside a visit, times between visits, lab values and demographics were not compared.</li>${undefinedNumbers(data)}</ul></div></div>`,
});
