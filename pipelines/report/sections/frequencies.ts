import { counted, decimal, integer, percent } from '../../kernel/number-format.ts';
import { type ScatterPoint, scatter, smallestShare } from '../charts/scatter.ts';
import { html, type Markup } from '../markup.ts';
import type { Frequency, FrequencyPlot } from '../plot-data.ts';
import type { ReportData } from '../report-data.ts';
import {
  copyButton,
  generatorName,
  generatorNamed,
  heading,
  leftOutSentence,
  numberCell,
  type Section,
  scaleSwitch,
  table,
} from './section.ts';

/** Scorecards hold the points of at most this many pairs. */
const sampledAbove = 4000;

const modalityNames: Record<string, string> = {
  dx: 'diagnoses',
  px: 'procedures',
  rx: 'drugs',
  lab: 'lab tests',
  gap: 'days between visits',
};

const legend = (data: ReportData): Markup =>
  html`<ul class="legend" aria-label="Colors">${Object.keys(data.vocabulary.modalities).map(
    (modality) =>
      html`<li><i class="swatch" style="background:var(--${modality})"></i>${modalityNames[modality] ?? modality}</li>`,
  )}</ul>`;

/** One point per place and color, in the order of the frequencies. */
const pointsOf = (points: readonly Frequency[], color: string): ScatterPoint[] => {
  const places = new Map<string, ScatterPoint>();
  for (const { name, modality, real, synthetic } of points) {
    const own = modality ? `var(--${modality})` : color;
    const key = `${real} ${synthetic} ${own}`;
    const known = places.get(key);
    if (known) known.names.push(name);
    else places.set(key, { real, synthetic, names: [name], color: own });
  }
  return [...places.values()];
};

const widest = (points: readonly Frequency[]): Frequency[] =>
  [...points].sort((a, b) => Math.abs(b.synthetic - b.real) - Math.abs(a.synthetic - a.real)).slice(0, 8);

const furthest = (panel: FrequencyPlot['panels'][number]): Markup =>
  html`<details><summary>Furthest off</summary>${table(
    `Furthest off, ${panel.generator}`,
    html`<tr>${heading('Name')}${heading('Real', 'share of real patients', 'number')}${heading('Synthetic', 'share of synthetic patients', 'number')}</tr>`,
    widest(panel.points).map(
      ({ name, real, synthetic }) =>
        html`<tr><th scope="row">${name}</th>${numberCell(real, percent(real))}${numberCell(synthetic, percent(synthetic))}</tr>`,
    ),
  )}</details>`;

const r2Of = (data: ReportData, metric: string, generator: string): number | null =>
  data.metrics
    .find((candidate) => candidate.metric === metric)
    ?.rows.find(({ row }) => row === 'record-r2')
    ?.values.find((value) => value.generator === generator)?.value ?? null;

const panelFigure = (data: ReportData, plot: FrequencyPlot, index: number, least: number): Markup => {
  const panel = plot.panels[index];
  if (!panel) return html``;
  const r2 = r2Of(data, plot.metric, panel.generator);
  const points = pointsOf(panel.points, generatorNamed(data, panel.generator)?.color ?? 'currentColor');
  const id = `${plot.metric}-${index}`;
  const caption = {
    title: `${plot.title}, ${panel.generator}: share of real against share of synthetic patients`,
    description: `${counted(panel.points.length, 'point')}, R² ${r2 === null ? 'not defined' : decimal(r2)}. On the diagonal both cohorts agree.`,
  };
  const drawn =
    points.length === 0
      ? html`<p class="empty">Nothing to show: none occurs in ${data.suppressBelow} or more real patients.</p>`
      : html`<div class="log">${scatter(points, 'log', least, { id: `${id}-log`, ...caption })}</div><div class="linear">${scatter(points, 'linear', least, { id: `${id}-linear`, ...caption })}</div>`;
  return html`<figure><figcaption>${generatorName(data, panel.generator)}<span class="value">R² ${r2 === null ? '–' : decimal(r2)}</span></figcaption>${drawn}<p class="note">${integer(panel.points.length)} of ${counted(panel.keys, plot.keys === 'codes' ? 'code' : 'pair')} shown</p>${points.length > 0 && furthest(panel)}</figure>`;
};

const leftOut = (data: ReportData, plot: FrequencyPlot): Markup => {
  const most = Math.max(0, ...plot.panels.map((panel) => panel.leftOut));
  const what = plot.keys === 'codes' ? 'code' : 'pair';
  const sampled = plot.panels.some(({ keys }) => keys > sampledAbove);
  return html`<p class="note">${leftOutSentence(most, what, data.suppressBelow)}${
    plot.keys !== 'codes' &&
    sampled &&
    ' Pairs were sampled, frequent ones densely, before they were counted here.'
  } R² is computed over every ${what}.</p>`;
};

/** One scatter section: a panel per generator, on shared axes. */
export const frequencySection = (data: ReportData, plot: FrequencyPlot): Section => {
  const least = smallestShare(plot.panels.flatMap(({ points }) => pointsOf(points, '')));
  return {
    id: `plot-${plot.metric}`,
    title: plot.title,
    short: { codes: 'Prevalence', pairs: 'Same visit', sequences: 'Consecutive visits' }[plot.keys],
    body: html`<p>${plot.about} Every dot is one ${plot.keys === 'codes' ? 'code' : 'pair of codes'}, a larger one several with the same shares; below the diagonal it is too rare among synthetic patients, above it too frequent. Point at a dot for names.</p>
<div class="toolbar">${scaleSwitch(plot.metric)}${plot.keys === 'codes' && [legend(data), copyButton(`frequencies:${plot.metric}`, 'the points')]}</div>
<div class="panels">${plot.panels.map((_, i) => panelFigure(data, plot, i, least))}</div>${leftOut(data, plot)}`,
  };
};
