import { families } from '../../../schemas/scorecard.ts';
import { sentence } from '../../kernel/number-format.ts';
import type { FamilyVerdict, Standing } from '../../verdicts/verdict-card.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import { copyButton, familyTitles, generatorName, outcomeMark, type Section } from './section.ts';

const marks = { good: 'passed', poor: 'failed', inconclusive: 'unknown' } as const satisfies Record<
  Standing,
  string
>;

const familyCell = (family: (typeof families)[number], { standing, reason }: FamilyVerdict): Markup =>
  html`<div class="standing ${marks[standing]}"><dt>${familyTitles[family]}</dt><dd>${outcomeMark(marks[standing], standing)} <strong aria-hidden="true">${standing}</strong><span class="row-about">${sentence(reason)}</span></dd></div>`;

/** A row per generator, a standing with its reason per family, and one sentence about the release. */
export const verdict = (data: ReportData): Section => ({
  id: 'verdict',
  title: 'Verdict',
  short: 'Verdict',
  body: html`<p class="release">${data.verdict.sentence}</p>${
    data.verdict.generators.length > 0 &&
    html`<ul class="verdict-card">${data.verdict.generators.map(
      (row) =>
        html`<li><h3>${generatorName(data, row.generator)}</h3><dl>${families.map((family) => familyCell(family, row[family]))}</dl></li>`,
    )}</ul>
<p class="note">Good: every check that a verdict needs is passed. Poor: a check fails. Inconclusive: all else. Each check, its threshold and its numbers: <a href="#checked">what was checked</a>. The decision to release is not made on this page.${
      data.suppressBelow < 2 &&
      html` <strong>Small groups are not suppressed on this page: it may reveal single patients.</strong>`
    }</p>${copyButton('verdict', 'the verdict')}`
  }`,
});
