import { dot, line, ruleX, ruleY, text } from '@observablehq/plot';
import { percent } from '../../kernel/number-format.ts';
import type { Markup } from '../markup.ts';
import { type Caption, draw } from './draw.ts';

/**
 * A key, or several with equal shares: of real and of synthetic patients, what they are called, and a color.
 */
export interface ScatterPoint {
  real: number;
  synthetic: number;
  names: string[];
  color: string;
}

export type Scale = 'log' | 'linear';

const decadeBelow = (value: number): number => 10 ** Math.floor(Math.log10(value));

/** The smallest power of ten that is not above any share, so that panels can share their axes. */
export const smallestShare = (points: Iterable<ScatterPoint>): number => {
  let least = 0.1;
  for (const { real, synthetic } of points)
    for (const share of [real, synthetic]) if (share > 0) least = Math.min(least, share);
  return decadeBelow(least * 1.0001);
};

const decades = (from: number): number[] =>
  Array.from({ length: Math.round(-Math.log10(from)) + 1 }, (_, i) => from * 10 ** i);

/** `1%`, `0.1%`: a share that is a power of ten. */
const tick = (share: number): string => `${Number((share * 100).toPrecision(1))}%`;

/** In small cohorts many keys share a place: the dot grows with them, and names the first. */
const radius = ({ names }: ScatterPoint, smallest: number): number =>
  Math.min(6.5, smallest + Math.log2(names.length) * 0.6);

const tip = ({ names, real, synthetic }: ScatterPoint): string =>
  [
    ...names.slice(0, 5),
    ...(names.length > 5 ? [`and ${names.length - 5} more`] : []),
    `real ${percent(real)}, synthetic ${synthetic > 0 ? percent(synthetic) : 'never'}`,
  ].join('\n');

/**
 * Real against synthetic shares with the line of equality. On the logarithmic scale what a generator never
 * made lies on a line of its own at the bottom, called `never`.
 */
export const scatter = (
  points: readonly ScatterPoint[],
  scale: Scale,
  least: number,
  caption: Caption,
): Markup => {
  const isLog = scale === 'log';
  const isOneColor = points.every(({ color }) => color === points[0]?.color);
  const isDense = points.length > 400;
  const never = least / 2.2;
  const high = points.reduce((max, { real, synthetic }) => Math.max(max, real, synthetic), least);
  const top = isLog ? 1 : Math.min(1, Math.ceil(high * 10.5) / 10);
  const low = isLog ? least : 0;
  const ticks = isLog ? decades(least) : Array.from({ length: 6 }, (_, i) => (top * i) / 5);
  const axis = { ticks, tickSize: 0, tickFormat: isLog ? tick : percent };
  return draw(
    {
      width: 340,
      height: 330,
      marginLeft: 44,
      marginRight: 10,
      marginTop: 22,
      marginBottom: 38,
      x: { type: scale, domain: [low, top], label: 'real patients →', labelAnchor: 'right', ...axis },
      y: { type: scale, domain: [isLog ? never : 0, top], label: '↑ synthetic patients', ...axis },
      r: { type: 'identity' },
      marks: [
        ruleX(ticks, { stroke: 'var(--grid)' }),
        ruleY(ticks, { stroke: 'var(--grid)' }),
        ...(isLog
          ? [
              ruleY([never], { stroke: 'var(--grid)', strokeDasharray: '2,3' }),
              text([never], {
                x: () => low,
                y: (y: number) => y,
                dx: -6,
                text: () => 'never',
                textAnchor: 'end',
              }),
            ]
          : []),
        line([low, top], { x: (v: number) => v, y: (v: number) => v, stroke: 'var(--line)' }),
        dot(points, {
          x: 'real',
          y: ({ synthetic }: ScatterPoint) => (isLog && synthetic <= 0 ? never : synthetic),
          r: (point: ScatterPoint) => radius(point, isDense ? 2.1 : 2.8),
          fill: isOneColor ? (points[0]?.color ?? 'none') : 'color',
          fillOpacity: isDense ? 0.35 : 0.55,
          // The other drawing has the same dots in the same order: names are heavy, and the script copies them.
          ...(isLog ? { title: tip } : {}),
        }),
      ],
    },
    caption,
  );
};
