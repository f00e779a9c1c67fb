/** The figure of bench/memorisation.ts: R² of same-visit pairs against the AUC of the calibrated attack, by epoch. */
import { dot, line, ruleX, ruleY, text } from '@observablehq/plot';
import { draw } from '../pipelines/report/charts/draw.ts';

/** R² of shares of patients, and of visits. */
export interface Agreement {
  byRecord: number;
  byVisit: number;
}

/** A model, at the end of its training or after some epoch of it. */
export interface Point {
  generator: string;
  version: number;
  /** Number of simulated patients, or `demo`. */
  cohort: string;
  config: Record<string, unknown>;
  epoch: number;
  /** Trained as a run does it, to the end. */
  isEnd: boolean;
  /** Nats per code or label that is present. */
  trainingLoss: number;
  holdoutLoss: number;
  attackAuc: number;
  attackInterval: readonly [number, number];
  prevalence: Agreement;
  pairs: Agreement;
  sequences: Agreement;
  seconds: number;
}

const [width, height, top] = [300, 300, 66];
/** Of configs in the order in which they come. */
const colors = ['#1b7f74', '#c4571b', '#3f63c4', '#a8377f', '#8a6d0f'];

const nameOf = ({ generator, version, config }: Point): string =>
  `${generator}, version ${version}: ${Object.keys(config).length === 0 ? 'default' : JSON.stringify(config)}`;

const titleOf = (cohort: string): string =>
  cohort === 'demo' ? 'MIMIC-III demo' : `${cohort} simulated patients`;

/** One cohort's models: by epoch as a line, at the end of training as a ring; the baseline as a dashed line. */
const panel = (points: readonly Point[], cohort: string, colorOf: (point: Point) => string): string => {
  const own = points.filter((point) => point.cohort === cohort);
  const baseline = own.filter(({ generator }) => generator === 'marginal');
  const models = own.filter(({ generator }) => generator !== 'marginal');
  const channels = { x: 'attackAuc', y: ({ pairs }: Point) => pairs.byRecord };
  const ends = models.filter(({ isEnd }) => isEnd);
  const byEpoch = models.filter(({ isEnd }) => !isEnd);
  return String(
    draw(
      {
        ...{ width, height, marginLeft: 44, marginRight: 14, marginTop: 34, marginBottom: 38 },
        x: { domain: [0.4, 1], ticks: 6, tickSize: 0, label: 'attack AUC →' },
        y: { ticks: 5, tickSize: 0, grid: true, nice: true, label: '↑ same-visit R²' },
        marks: [
          ruleX([0.5], { stroke: '#a9aeb6' }),
          ruleY(baseline, { y: channels.y, stroke: '#7b828c', strokeDasharray: '4 3' }),
          line(byEpoch, { ...channels, z: nameOf, stroke: colorOf, strokeWidth: 1.4 }),
          dot(byEpoch, { ...channels, r: 2, fill: colorOf }),
          text(byEpoch, { ...channels, text: 'epoch', dy: 9, fontSize: 8, fill: colorOf }),
          dot(ends, { ...channels, r: 6, stroke: colorOf, strokeWidth: 2.4 }),
        ],
      },
      {
        id: `cohort-${cohort}`,
        title: titleOf(cohort),
        description: 'A line runs from epoch to epoch; a ring is a model trained to its end.',
      },
    ),
  );
};

/** An SVG with a panel for each cohort. */
export const tradeOff = (points: readonly Point[]): string => {
  const cohorts = [...new Set(points.map(({ cohort }) => cohort))];
  const names = [...new Set(points.filter(({ generator }) => generator !== 'marginal').map(nameOf))];
  const color = (name: string): string => colors[names.indexOf(name) % colors.length] as string;
  const legend = names.map(
    (name, i) =>
      `<text x="${12 + Math.floor(i / 2) * 420}" y="${18 + (i % 2) * 16}" font-size="12" fill="${color(name)}">${name}</text>`,
  );
  const panels = cohorts.map((cohort, i) => {
    const place = `x="${i * width}" y="${top}" width="${width}" height="${height}"`;
    const svg = panel(points, cohort, (point) => color(nameOf(point))).replace(/^<svg /, `<svg ${place} `);
    const title = `<text x="${i * width + 44}" y="${top - 8}" font-size="12" font-weight="600">${titleOf(cohort)}</text>`;
    return svg + title;
  });
  const [w, h] = [cohorts.length * width, top + height];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${w} ${h}" width="${w}" height="${h}" font-family="sans-serif">` +
    `<rect width="${w}" height="${h}" fill="#ffffff"/>${legend.join('')}${panels.join('')}</svg>\n`
  );
};
