import { z } from 'zod';
import { tokenOrder } from '../../../schemas/vocabulary.ts';
import { html, type Markup } from '../markup.ts';
import type { LineageStep, ReportData } from '../report-data.ts';
import { copyButton, heading, type Section, table } from './section.ts';

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
export const lineage = (data: ReportData): Section => ({
  id: 'lineage',
  title: 'Lineage',
  short: 'Lineage',
  body: html`<p>Every artifact behind this page, named by the digest of its bytes and of all that decided them. The same inputs, parameters, code and engine give the same digests; point at a digest for its full length.</p>${table(
    'Lineage',
    html`<tr>${['Step', 'Artifact', 'Made from', 'Parameters', 'Version', 'Code', 'Engine'].map((text) => heading(text))}</tr>`,
    data.lineage.map((step) => rowOf(data, step)),
    'lineage',
  )}${copyButton('lineage', 'the lineage')}`,
});
