import { line, ruleX, ruleY } from '@observablehq/plot';
import type { Markup } from '../markup.ts';
import { type Caption, draw } from './draw.ts';
import type { Scale } from './scatter.ts';

/** An attack's curve with the color and the dashes it has on every panel. */
export interface RocLine {
  title: string;
  color: string;
  dashes: string;
  falsePositive: readonly number[];
  truePositive: readonly number[];
}

/** The power of ten below the smallest false positive rate that any curve reaches. */
export const smallestRate = (lines: readonly Pick<RocLine, 'falsePositive'>[]): number => {
  const positive = lines.flatMap(({ falsePositive }) => falsePositive.filter((rate) => rate > 0));
  const least = positive.reduce((low, rate) => Math.min(low, rate), 0.1);
  return Number((10 ** Math.floor(Math.log10(least) + 1e-9)).toPrecision(1));
};

const linearTicks = [0, 0.25, 0.5, 0.75, 1];
const decades = (from: number): number[] =>
  Array.from({ length: Math.round(-Math.log10(from)) + 1 }, (_, i) =>
    Number((from * 10 ** i).toPrecision(1)),
  );

const tick = (rate: number): string => `${Number((rate * 100).toPrecision(2))}%`;

/** What the axes of a curve are called. */
export interface RocAxes {
  x: string;
  y: string;
}

const membershipAxes: RocAxes = { x: 'false positive rate →', y: '↑ true positive rate' };

/**
 * Members found against false alarms, unless `axes` says otherwise. On the logarithmic scale no false alarm
 * at all stands at the left edge, and guessing is the straight diagonal on both.
 */
export const rocChart = (
  lines: readonly RocLine[],
  scale: Scale,
  least: number,
  caption: Caption,
  axes = membershipAxes,
): Markup => {
  const isLog = scale === 'log';
  const low = isLog ? least : 0;
  const ticks = isLog ? decades(least) : linearTicks;
  const axis = { type: scale, domain: [low, 1], ticks, tickSize: 0, tickFormat: tick };
  return draw(
    {
      width: 340,
      height: 300,
      marginLeft: 44,
      marginRight: 14,
      marginTop: 22,
      marginBottom: 38,
      x: { ...axis, label: axes.x, labelAnchor: 'right' },
      y: { ...axis, label: axes.y },
      marks: [
        ruleX(ticks, { stroke: 'var(--grid)' }),
        ruleY(ticks, { stroke: 'var(--grid)' }),
        line([low, 1], { x: (v: number) => v, y: (v: number) => v, stroke: 'var(--line)' }),
        ...lines.map(({ title, color, dashes, falsePositive, truePositive }) =>
          line(falsePositive, {
            x: (rate: number) => Math.max(low, rate),
            y: truePositive.map((rate) => Math.max(low, rate)),
            z: null,
            stroke: color,
            strokeWidth: 1.8,
            strokeDasharray: dashes,
            title: () => title,
          }),
        ),
      ],
    },
    caption,
  );
};
