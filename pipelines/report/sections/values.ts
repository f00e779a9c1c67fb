import { counted, decimal, listed, percent } from '../../kernel/number-format.ts';
import { lengthBars } from '../charts/bars.ts';
import { gapLines } from '../charts/gap-lines.ts';
import { type ValueAxes, valueScatter } from '../charts/value-scatter.ts';
import { html, type Markup } from '../markup.ts';
import type { ReportData } from '../report-data.ts';
import type { GapPanel, LabPanel, TestPoint } from '../value-plots.ts';
import { fold, generatorName, generatorNamed, leftOutSentence, panels, valueIn } from './section.ts';

const colorOf = (data: ReportData, generator: string): string =>
  generatorNamed(data, generator)?.color ?? 'currentColor';

const rowValue = (data: ReportData, metric: string, row: string, generator: string): string => {
  const value = valueIn(data, metric, row, generator);
  return value === null ? '–' : decimal(value);
};

const share: ValueAxes = {
  scale: 'linear',
  x: 'real visits with the test',
  y: 'synthetic visits',
  write: percent,
};
const mean: ValueAxes = {
  scale: 'log',
  x: 'real mean',
  y: 'synthetic mean',
  write: (value) => String(Number(value.toPrecision(3))),
};

interface Figure {
  id: string;
  title: string;
  generator: string;
  value: string;
}

const figureOf = (data: ReportData, { generator, value }: Figure, body: Markup): Markup =>
  html`<figure><figcaption>${generatorName(data, generator)}<span class="value">${value}</span></figcaption>${body}</figure>`;

/** Empty where no point can be shown. */
const scatterFigure = (
  data: ReportData,
  figure: Figure,
  points: readonly TestPoint[],
  axes: ValueAxes,
): Markup[] => {
  const drawn =
    axes.scale === 'log' ? points.filter(({ real, synthetic }) => real > 0 && synthetic > 0) : points;
  const left = points.length - drawn.length;
  const caption = {
    id: figure.id,
    title: `${figure.title}, ${figure.generator}`,
    description: `${counted(drawn.length, 'lab test')}, ${figure.value}. On the diagonal both cohorts agree.`,
  };
  if (drawn.length === 0) return [];
  const chart = valueScatter(drawn, colorOf(data, figure.generator), axes, caption);
  return [
    figureOf(
      data,
      figure,
      html`${chart}${left > 0 && html`<p class="note">${counted(left, 'test')} with a mean of 0 or less cannot be shown on a logarithmic axis.</p>`}`,
    ),
  ];
};

const labFigures = (data: ReportData): Markup => {
  const most = Math.max(...data.labs.map(({ leftOut }) => leftOut));
  const presence = ({ generator, presence: points }: LabPanel, i: number) =>
    scatterFigure(
      data,
      {
        id: `lab-presence-${i}`,
        title: 'Lab tests done per visit',
        generator,
        value: `R² ${rowValue(data, 'lab-values', 'presence-r2', generator)}`,
      },
      points,
      share,
    );
  const means = ({ generator, means: points }: LabPanel, i: number) =>
    scatterFigure(
      data,
      {
        id: `lab-means-${i}`,
        title: 'Mean lab values',
        generator,
        value: `shift ${rowValue(data, 'lab-values', 'shift', generator)} standard deviations`,
      },
      points,
      mean,
    );
  const [ofPresence, ofMeans] = [data.labs.flatMap(presence), data.labs.flatMap(means)];
  return html`${
    ofPresence.length > 0 &&
    html`<h4>Lab tests done</h4><p class="about">Every dot is one lab test: the share of real visits in which it was done against the share of synthetic ones.</p>${panels(ofPresence, 'generator')}`
  }${
    ofMeans.length > 0 &&
    html`<h4>Mean lab values</h4><p class="about">The mean of each test’s values, each in its own unit. The shift is by how many real standard deviations a mean is off, averaged over tests.</p>${panels(ofMeans, 'generator')}`
  }<p class="note">${leftOutSentence(most, 'lab test', data.suppressBelow)}</p>`;
};

const roundUp = (value: number): number => {
  const unit = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return Math.ceil(value / unit) * unit;
};

const barFigure = (data: ReportData, { generator, bars }: GapPanel, i: number): Markup[] => {
  if (bars.length === 0) return [];
  const most = Math.max(
    0.2,
    ...data.gaps.flatMap((panel) => panel.bars.flatMap(({ real, synthetic }) => [real, synthetic])),
  );
  const caption = {
    id: `gaps-${i}`,
    title: `Days between visits, ${generator}`,
    description: listed(
      bars.map(
        ({ label, real, synthetic }) =>
          `${label} days: real ${percent(real)}, synthetic ${percent(synthetic)}`,
      ),
    ),
  };
  const value = `distance ${rowValue(data, 'visit-gaps', 'ks', generator)}`;
  const chart = lengthBars(
    bars,
    colorOf(data, generator),
    Math.min(1, Math.ceil(most * 5) / 5),
    'days',
    caption,
  );
  return [figureOf(data, { ...caption, generator, value }, chart)];
};

const lineFigure = (data: ReportData, { generator, byLength }: GapPanel, i: number): Markup[] => {
  if (byLength.length === 0) return [];
  const top = roundUp(
    Math.max(
      1,
      ...data.gaps.flatMap((panel) => panel.byLength.flatMap(({ real, synthetic }) => [real, synthetic])),
    ),
  );
  const caption = {
    id: `gap-by-length-${i}`,
    title: `Mean days between visits by number of visits, ${generator}`,
    description: listed(
      byLength.map(
        ({ length, real, synthetic }) =>
          `${length} visits: real ${real.toFixed(1)}, synthetic ${synthetic.toFixed(1)}`,
      ),
    ),
  };
  const value = `off by ${rowValue(data, 'visit-gaps', 'by-length', generator)} days`;
  const chart = gapLines(byLength, colorOf(data, generator), top, caption);
  return [figureOf(data, { ...caption, generator, value }, chart)];
};

const gapFigures = (data: ReportData): Markup => {
  const [bars, lines] = [
    data.gaps.flatMap((gap, i) => barFigure(data, gap, i)),
    data.gaps.flatMap((gap, i) => lineFigure(data, gap, i)),
  ];
  return html`${
    bars.length > 0 &&
    html`<h4>Days between visits</h4><p class="about">From admission to admission. Pale bars are real, colored ones synthetic.</p>${panels(bars, 'generator')}`
  }${
    lines.length > 0 &&
    html`<h4>Days between visits by record length</h4><p class="about">Patients with many visits return sooner. The thick pale line is the mean of real records, the thin one of synthetic ones.</p>${panels(lines, 'generator')}`
  }${data.suppressBelow > 1 && html`<p class="note">Days and record lengths are grouped, or left out, until each is of at least ${data.suppressBelow} real patients.</p>`}`;
};

/** Lab values and days between visits, where the vocabulary has ranges for them (HALO, Fig. 4). */
export const values = (data: ReportData): Markup | false =>
  (data.labs.length > 0 || data.gaps.length > 0) &&
  html`<div id="values"><h3>Do lab values and the days between visits agree?</h3>${fold(
    listed([
      ...(data.labs.length > 0 ? ['lab tests and their values'] : []),
      ...(data.gaps.length > 0 ? ['days between visits'] : []),
    ]).replace(/^./, (first) => first.toUpperCase()),
    html`${data.labs.length > 0 && labFigures(data)}${data.gaps.length > 0 && gapFigures(data)}`,
  )}</div>`;
