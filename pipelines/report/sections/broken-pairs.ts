import { counted, integer } from '../../kernel/number-format.ts';
import { html, type Markup } from '../markup.ts';
import type { BrokenPairs } from '../plot-data.ts';
import type { ReportData } from '../report-data.ts';
import { coloredName, fold, heading, numberCell, table } from './section.ts';

const rows = <Pair extends { names: [string, string]; visits: number }>(
  pairs: readonly Pair[],
  more: (pair: Pair) => number,
): Markup[] =>
  pairs.map(
    (pair) =>
      html`<tr><th scope="row">${pair.names[0]}</th><td>${pair.names[1]}</td>${numberCell(pair.visits, integer(pair.visits))}${numberCell(more(pair), integer(more(pair)))}</tr>`,
  );

const neverTable = ({ generator, never }: BrokenPairs): Markup | false =>
  never.length > 0 &&
  html`<h4>In no real visit together</h4>${table(
    `Codes that ${generator} combines and no real training visit does`,
    html`<tr>${heading('Code')}${heading('Code of the same visit')}${heading('Synthetic visits', 'that have both', 'number')}${heading('Real visits, if independent', 'that would have both if codes were independent; none has', 'number')}</tr>`,
    rows(never, ({ expected }) => expected),
  )}`;

const alwaysTable = ({ generator, always }: BrokenPairs): Markup | false =>
  always.length > 0 &&
  html`<h4>Almost always together in real visits</h4>${table(
    `Codes that come together in real training visits and not in those of ${generator}`,
    html`<tr>${heading('Code')}${heading('Lacks')}${heading('Synthetic visits', 'that have the first and not the second', 'number')}${heading('Real visits', 'that have the first, nearly all of them with the second', 'number')}</tr>`,
    rows(always, ({ real }) => real),
  )}`;

/** The pairs of codes that synthetic visits break most often, per generator in a fold. */
export const brokenPairs = (data: ReportData): Markup | false =>
  data.brokenPairs.length > 0 &&
  html`<h3>Which codes contradict each other?</h3><p>Pairs of codes that are never, or almost always, in one visit of the real training patients, beyond chance, and that synthetic visits break most often. How often the holdout does is in the rows of “Incoherent visits”.</p>${data.brokenPairs.map(
    (broken) =>
      fold(
        html`${coloredName(data, broken.generator)}: ${counted(broken.never.length + broken.always.length, 'pair')}, the commonest of each kind`,
        html`${neverTable(broken)}${alwaysTable(broken)}${broken.leftOut > 0 && html`<p class="note">Left out: ${counted(broken.leftOut, 'pair')} with a code, or almost always together, in fewer than ${data.suppressBelow} real training patients.</p>`}`,
      ),
  )}`;
