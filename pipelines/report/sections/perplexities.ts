import { isReference, type MetricTable, type TableRow } from '../../verdicts/metric-tables.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { fold, generatorName } from './section.ts';
import { sideBySide } from './side-by-side.ts';

const kindNames: Readonly<Record<string, string>> = {
  dx: 'Diagnosis',
  px: 'Procedure',
  rx: 'Drug',
  lab: 'Lab test',
  gap: 'Gap',
  all: 'All',
};

/** Columns as in Table 2 of the paper, kind by kind, lpl before mpl; then all kinds against the marginals. */
const wanted: readonly (readonly [row: string, heading: string])[] = [
  ...Object.entries(kindNames).flatMap(([kind, name]) =>
    ['lpl', 'mpl'].map((measure) => [`${measure}-${kind}`, `${name} ${measure}`] as const),
  ),
  ...['lpl', 'mpl'].map((measure) => [`ratio-${measure}-all`, `${measure} by marginals`] as const),
];

/** Those columns that any generator has. */
const columnsOf = ({ rows }: MetricTable): [TableRow, string][] =>
  wanted.flatMap(([name, heading]): [TableRow, string][] => {
    const row = rows.find((candidate) => candidate.row === name);
    return row?.values.some(({ value }) => value !== null) ? [[row, heading]] : [];
  });

/** Sentences of generators that have no value in a row that others have one in. */
const absences = (data: ReportData, columns: readonly [TableRow, string][]): Markup[] => {
  const notesOf = new Map<string, Set<string>>();
  for (const [{ values }] of columns)
    for (const { generator, value, note } of values)
      if (value === null && note !== undefined)
        notesOf.set(generator, (notesOf.get(generator) ?? new Set()).add(note));
  return [...notesOf].flatMap(([generator, notes]) =>
    [...notes].map((note) => html`<li>${generatorName(data, generator)}: ${note}</li>`),
  );
};

/** Perplexities of real visits under the models, in the layout of PromptEHR's Table 2; nothing where there are none. */
export const perplexities = (data: ReportData): Markup | false => {
  const metric = data.metrics.find(({ metric: name }) => name === 'imputation-perplexity');
  const columns = metric ? columnsOf(metric) : [];
  if (!metric || columns.length === 0) return false;
  const notes = absences(data, columns);
  const published = metric.rows.some(isReference);
  return html`<div id="perplexities"><h3>How well does the model predict the codes of real visits?</h3><p>${metric.about}</p>${fold(
    'Perplexities of real visits, by kind of code',
    html`<p>lpl: given the visits before. mpl: given the other kinds of codes of the same visit as well. The perplexity of a uniform guess is the number of codes of a kind; 1 would be certainty. Medians over patients who have such a code. By marginals: the ratio to the perplexity of independent marginals, patient by patient. Below 1 the model predicts better; the difference is significant where the whole interval is below 1.</p>
${sideBySide(data, 'Perplexities of real visits', metric.metric, columns)}${notes.length > 0 && html`<ul class="note">${notes}</ul>`}<p class="note">These numbers are about the model, not about its synthetic cohort. Details of each number: <a href="#metric-${metric.metric}">all numbers</a>${published && ', where rows in gray repeat what the published code computes instead'}.</p>`,
  )}</div>`;
};
