import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { counted, integer, listed, sentence } from '../kernel/number-format.ts';
import { html, inlineJson, type Markup, trusted } from './markup.ts';
import type { ReportData } from './report-data.ts';
import { checked, missingFamilies } from './sections/checks.ts';
import { details, licence } from './sections/details.ts';
import { leaderboard } from './sections/leaderboard.ts';
import { privacy } from './sections/privacy.ts';
import type { Section } from './sections/section.ts';
import { similarity } from './sections/similarity.ts';
import { training } from './sections/training.ts';
import { trainingSize } from './sections/training-size.ts';
import { utility } from './sections/utility.ts';
import { verdict } from './sections/verdict.ts';

const style = [
  new URL('./style/colors.css', import.meta.url),
  new URL('./style/frame.css', import.meta.url),
  new URL('./style/plots.css', import.meta.url),
  new URL('./style/tables.css', import.meta.url),
  new URL('./style/checks.css', import.meta.url),
  new URL('./style/media.css', import.meta.url),
]
  .map((file) => readFileSync(file, 'utf8'))
  .join('');
const script = readFileSync(new URL('./page.mjs', import.meta.url), 'utf8');

/** Forbids every request, and every script but ours. */
const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'; base-uri 'none'; form-action 'none'`;

const sectionsOf = (data: ReportData): Section[] => {
  const hasCards = data.generators.length > 0;
  return [
    verdict(data),
    leaderboard(data),
    checked(data),
    hasCards && similarity(data),
    hasCards && utility(data),
    hasCards && privacy(data),
    hasCards && trainingSize(data),
    data.curves.length > 0 && training(data),
    details(data),
    licence(data),
  ].filter((section) => section !== false && section !== null);
};

const subtitle = (data: ReportData): string => {
  const generators = data.generators.map(({ name }) => name);
  const of = `${counted(data.real.patients, 'real training patient')}, ${counted(data.real.visits, 'visit')}, ${integer(data.vocabulary.codes)} codes`;
  return generators.length === 0 ? of : `${listed(generators)} against ${of}`;
};

const openQuestion: Record<string, string> = {
  similarity: 'whether synthetic patients look like real ones',
  utility: 'what a synthetic cohort is useful for',
  privacy: 'whether a synthetic cohort is safe to share',
};

const strangersWarning = ({ withoutStrangers }: ReportData): Markup | false =>
  withoutStrangers !== undefined &&
  html`<aside class="warning" role="note"><strong>The sides share patients.</strong> ${sentence(withoutStrangers)} Checks that compare training patients with others are inconclusive. Give other test patients.</aside>`;

const warning = (data: ReportData): Markup | false => {
  const missing = missingFamilies(data);
  return (
    missing.length > 0 &&
    html`<aside class="warning" role="note"><strong>${listed(missing).replace(/^./, (c) => c.toUpperCase())} ${missing.length > 1 ? 'have' : 'has'} not been measured.</strong> This page does not show ${listed(missing.map((family) => openQuestion[family] ?? family))}. <a href="#checked">What was checked</a></aside>`
  );
};

/** Each name once: its share of real patients, and of every generator's. */
const sharesByName = ({ panels }: ReportData['frequencies'][number]) => {
  const shares: Record<string, Record<string, number>> = {};
  for (const { generator, points } of panels)
    for (const { name, real, synthetic } of points)
      shares[name] = { 'real training': real, ...shares[name], [generator]: synthetic };
  return shares;
};

/**
 * What the copy buttons copy. Points of pairs and tests, and bins of lengths, would double the page: see
 * `report.json`.
 */
const copyable = ({ frequencies, lengths: _lengths, labs: _labs, gaps: _gaps, ...numbers }: ReportData) => ({
  ...numbers,
  ...Object.fromEntries(
    frequencies
      .filter(({ keys }) => keys === 'codes')
      .map((plot) => [`frequencies:${plot.metric}`, sharesByName(plot)]),
  ),
});

/** The whole report as one HTML document that makes no request. The same data give the same bytes. */
export const reportPage = (data: ReportData): string => {
  const sections = sectionsOf(data);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${data.title}</title>
<style>${trusted(style)}</style>
</head>
<body>
<a class="skip" href="#verdict">Skip to the verdict</a>
<header><p class="brand">Understudy</p><h1>${data.title}</h1><p class="subtitle">${subtitle(data)}</p>${strangersWarning(data)}${warning(data)}</header>
<nav aria-label="Contents"><ul>${sections.map(({ id, short }) => html`<li><a href="#${id}">${short}</a></li>`)}</ul></nav>
<main>${sections.map(
    ({
      id,
      title,
      body,
    }) => html`<section id="${id}" aria-labelledby="${id}-heading"><h2 id="${id}-heading">${title}</h2>${body}</section>
`,
  )}</main>
<footer><p>Made by Understudy. The numbers on this page, and every point of its plots, are in <code>report.json</code> beside it.</p></footer>
<div id="tip" hidden></div><p id="status" class="hidden" role="status"></p>
<script type="application/json" id="page-data">${inlineJson(copyable(data))}</script>
<script>${trusted(script)}</script>
</body>
</html>
`;
  return page.text;
};
