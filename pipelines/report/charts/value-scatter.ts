import { dot, line, ruleX, ruleY } from '@observablehq/plot';
import type { Markup } from '../markup.ts';
import type { TestPoint } from '../value-plots.ts';
import { type Caption, draw } from './draw.ts';

/** What the two axes count, and how their numbers are written. */
export interface ValueAxes {
  scale: 'log' | 'linear';
  x: string;
  y: string;
  write(value: number): string;
}

const decade = (value: number, round: (exponent: number) => number): number => 10 ** round(Math.log10(value));

/** From the power of ten below all values to the one above; on the linear scale from 0. */
const ticksOf = (values: readonly number[], scale: ValueAxes['scale']): number[] => {
  const most = Math.max(...values);
  if (scale === 'linear')
    return Array.from({ length: 6 }, (_, i) => (Math.ceil(most * 5) / 5 || 0.2) * (i / 5));
  const low = decade(Math.min(...values), Math.floor);
  const high = Math.max(decade(most, Math.ceil), low * 10);
  return Array.from({ length: Math.round(Math.log10(high / low)) + 1 }, (_, i) => low * 10 ** i);
};

/**
 * One dot per lab test, real against synthetic, with the line of equality. Logarithmic axes need values above
 * 0.
 */
export const valueScatter = (
  points: readonly TestPoint[],
  color: string,
  { scale, x, y, write }: ValueAxes,
  caption: Caption,
): Markup => {
  const ticks = ticksOf(
    points.flatMap(({ real, synthetic }) => [real, synthetic]),
    scale,
  );
  const domain = [ticks[0] as number, ticks.at(-1) as number];
  const axis = { ticks, tickSize: 0, tickFormat: write, labelAnchor: 'right' as const };
  return draw(
    {
      width: 340,
      height: 330,
      marginLeft: 44,
      marginRight: 14,
      marginTop: 22,
      marginBottom: 38,
      x: { type: scale, domain, label: `${x} →`, ...axis },
      y: { type: scale, domain, label: `↑ ${y}`, ...axis, labelAnchor: 'top' },
      marks: [
        ruleX(ticks, { stroke: 'var(--grid)' }),
        ruleY(ticks, { stroke: 'var(--grid)' }),
        line(domain, { x: (v: number) => v, y: (v: number) => v, stroke: 'var(--line)' }),
        dot(points, {
          x: 'real',
          y: 'synthetic',
          r: 3,
          fill: color,
          fillOpacity: 0.6,
          title: ({ name, real, synthetic }: TestPoint) =>
            `${name}\nreal ${write(real)}, synthetic ${write(synthetic)}`,
        }),
      ],
    },
    caption,
  );
};
