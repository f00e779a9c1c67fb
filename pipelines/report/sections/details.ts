import { z } from 'zod';
import { tokenOrder } from '../../../schemas/vocabulary.ts';
import { counted } from '../../kernel/number-format.ts';
import { html, type Markup } from '../markup.ts';
import type { LineageStep, ReportData } from '../report-data.ts';
import { allNumbers } from './all-numbers.ts';
import { definitions } from './definitions.ts';
import { copyButton, fold, heading, type Section, table } from './section.ts';

const short = (digest: string): string => digest.slice(0, 10);

const digestLink = (data: ReportData, digest: string): Markup =>
  data.lineage.some((step) => step.digest === digest)
    ? html`<a href="#artifact-${digest}" title="${digest}"><code>${short(digest)}</code></a>`
    : html`<code title="${digest}">${short(digest)}</code>`;

const ordered = z.object({ order: tokenOrder });

/** What a reader should not have to open the parameters for. */
const remark = ({ params }: LineageStep): Markup | false => {
  const { success, data } = ordered.safeParse(params);
  return success && html`<br><small>codes in ${data.order} order</small>`;
};

const rowOf = (data: ReportData, step: LineageStep): Markup =>
  html`<tr id="artifact-${step.digest}"><th scope="row">${step.title}${remark(step)}</th><td>${step.kind}<br><code title="${step.digest}">${short(step.digest)}</code></td><td>${
    step.inputs.length === 0
      ? step.fingerprint && html`source <code title="${step.fingerprint}">${short(step.fingerprint)}</code>`
      : step.inputs.map((digest) => html`${digestLink(data, digest)} `)
  }</td><td><details><summary>parameters</summary><pre>${JSON.stringify(step.params, null, 2)}</pre></details></td><td>${step.version}</td><td><code title="${step.code}">${short(step.code)}</code></td><td>${step.engine}</td></tr>`;

/** What made what: one row per artifact that this page rests on, sources first. */
const lineage = (data: ReportData): Markup =>
  html`<p>Every artifact behind this page, named by the digest of its bytes and of all that decided them. The same inputs, parameters, code and engine give the same digests; point at a digest for its full length.</p>${table(
    'Lineage',
    html`<tr>${['Step', 'Artifact', 'Made from', 'Parameters', 'Version', 'Code', 'Engine'].map((text) => heading(text))}</tr>`,
    data.lineage.map((step) => rowOf(data, step)),
    'lineage',
  )}`;

/** What stands behind the page: all numbers, definitions, lineage. Closed, and left out of print. */
export const details = (data: ReportData): Section => ({
  id: 'details',
  title: 'All numbers, definitions and lineage',
  short: 'All numbers',
  body: html`<p>Closed here and left out of print. <code>report.json</code>, beside this page, has every number and every point of the plots.</p>${
    data.generators.length > 0 &&
    html`<div class="screen" id="numbers"><h3>All numbers</h3>${allNumbers(data)}</div><div class="screen" id="definitions"><h3>Definitions</h3>${definitions(data)}</div>`
  }<div class="screen" id="lineage"><h3>Lineage</h3>${fold(`How ${counted(data.lineage.length, 'artifact')} were made`, lineage(data))}<p>${copyButton('', 'everything')} ${copyButton('metrics', 'all numbers')} ${copyButton('lineage', 'the lineage')}</p></div>`,
});

/** The terms of the data. */
export const licence = (data: ReportData): Section => ({
  id: 'licence',
  title: 'Data license',
  short: 'License',
  body: html`<p>This page is derived from the source named in the first lineage step, and stays under that source's terms. The MIMIC-III demo is open under the Open Database License 1.0. Full MIMIC is under the PhysioNet Credentialed Health Data License: what is derived from it, including this page and the synthetic cohorts, must not be shared without PhysioNet's consent, nor given to online services that keep it or learn from it.</p>
<p>The page holds aggregates only. ${data.suppressBelow > 1 ? `Codes, pairs and labels that fewer than ${data.suppressBelow} real training patients have are not named on it.` : 'Small groups are not suppressed on it (suppressBelow is off): it may reveal single patients.'}</p>`,
});
