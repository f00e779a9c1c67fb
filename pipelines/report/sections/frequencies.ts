import { counted, decimal, integer, percent } from '../../kernel/number-format.ts';
import { type ScatterPoint, scatter, smallestShare } from '../charts/scatter.ts';
import { html, type Markup } from '../markup.ts';
import type { Frequency, FrequencyPlot } from '../plot-data.ts';
import type { ReportData } from '../report-data.ts';
import {
  coloredName,
  copyButton,
  fold,
  generatorNamed,
  heading,
  leftOutSentence,
  numberCell,
  panels,
  scaleSwitch,
  table,
  valueIn,
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
  html`<ul class="legend" aria-label="Colors of codes">${Object.keys(data.vocabulary.modalities).map(
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

const furthest = (plot: FrequencyPlot, panel: FrequencyPlot['panels'][number]): Markup =>
  fold(
    html`Furthest off<span class="hidden">: ${plot.title}, ${panel.generator}</span>`,
    table(
      `Furthest off: ${plot.title}, ${panel.generator}`,
      html`<tr>${heading('Name')}${heading('Real', 'share of real patients', 'number')}${heading('Synthetic', 'share of synthetic patients', 'number')}</tr>`,
      widest(panel.points).map(
        ({ name, real, synthetic }) =>
          html`<tr><th scope="row">${name}</th>${numberCell(real, percent(real))}${numberCell(synthetic, percent(synthetic))}</tr>`,
      ),
    ),
  );

const panelFigure = (
  data: ReportData,
  plot: FrequencyPlot,
  panel: FrequencyPlot['panels'][number],
  index: number,
  least: number,
): Markup => {
  const r2 = valueIn(data, plot.metric, 'record-r2', panel.generator);
  const points = pointsOf(panel.points, generatorNamed(data, panel.generator)?.color ?? 'currentColor');
  const id = `${plot.metric}-${index}`;
  const caption = {
    title: `${plot.title}, ${panel.generator}: share of real against share of synthetic patients`,
    description: `${counted(panel.points.length, 'point')}, R² ${r2 === null ? 'not defined' : decimal(r2)}. On the diagonal both cohorts agree.`,
  };
  const what = plot.keys === 'codes' ? 'code' : 'pair';
  return html`<figure><figcaption>${coloredName(data, panel.generator)}<span class="value">R² ${r2 === null ? '–' : decimal(r2)}, ${integer(panel.points.length)} of ${counted(panel.keys, what)}</span></figcaption><div class="log">${scatter(points, 'log', least, { id: `${id}-log`, ...caption })}</div><div class="linear">${scatter(points, 'linear', least, { id: `${id}-linear`, ...caption })}</div>${furthest(plot, panel)}</figure>`;
};

const leftOut = (data: ReportData, plot: FrequencyPlot): Markup => {
  const most = Math.max(0, ...plot.panels.map((panel) => panel.leftOut));
  const what = plot.keys === 'codes' ? 'code' : 'pair';
  const sampled = plot.panels.some(({ keys }) => keys > sampledAbove);
  return html`<p class="note">${leftOutSentence(most, what, data.suppressBelow)}${
    plot.keys !== 'codes' &&
    sampled &&
    ' Pairs were sampled, frequent ones densely, before they were counted here.'
  }</p>`;
};

/** One kind of frequency: a panel per generator, on shared axes; generators without a point are named. */
const plotRow = (data: ReportData, plot: FrequencyPlot): Markup => {
  const least = smallestShare(plot.panels.flatMap(({ points }) => pointsOf(points, '')));
  const drawn = plot.panels.filter(({ points }) => points.length > 0);
  const empty = plot.panels.length - drawn.length;
  return html`<div id="plot-${plot.metric}"><h4>${plot.title}</h4><p class="about">${plot.about}</p>${panels(
    drawn.map((panel, i) => panelFigure(data, plot, panel, i, least)),
    'generator',
  )}${
    empty > 0 &&
    html`<p class="note">Not shown for ${counted(empty, 'generator')}: none occurs in ${data.suppressBelow} or more real patients.</p>`
  }${leftOut(data, plot)}</div>`;
};

/** Shares of codes and of pairs of codes, real against synthetic. */
export const frequencies = (data: ReportData): Markup | false =>
  data.frequencies.length > 0 &&
  html`<h3>How frequent are codes, and which occur together?</h3><p>Every dot is one code, or one pair of codes; a larger dot is several with the same shares. Below the diagonal it is too rare among synthetic patients, above it too frequent. Point at a dot for names. R² is computed over every code or pair, also those not shown.</p>
<div class="toolbar">${scaleSwitch('frequencies')}${legend(data)}${data.frequencies.filter(({ keys }) => keys === 'codes').map(({ metric }) => copyButton(`frequencies:${metric}`, 'the points'))}</div>${data.frequencies.map((plot) => plotRow(data, plot))}`;
