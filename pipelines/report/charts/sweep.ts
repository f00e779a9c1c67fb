import { line } from '@observablehq/plot';
import type { Markup } from '../markup.ts';
import { type Caption, draw } from './draw.ts';

/** A rate by threshold. */
export interface SweepLine {
  title: string;
  color: string;
  dashes: string;
  threshold: readonly number[];
  rate: readonly number[];
}

/** Rates between 0 and 1 by the threshold above which a code is predicted. */
export const sweepChart = (lines: readonly SweepLine[], caption: Caption): Markup =>
  draw(
    {
      width: 340,
      height: 300,
      marginLeft: 44,
      marginRight: 14,
      marginTop: 22,
      marginBottom: 38,
      x: { label: 'threshold δ →', labelAnchor: 'right', ticks: 5, tickSize: 0 },
      y: {
        domain: [0, 1],
        ticks: 5,
        tickSize: 0,
        grid: true,
        label: '↑ share predicted',
        tickFormat: (rate: number) => `${Math.round(100 * rate)}%`,
      },
      marks: lines.map(({ title, color, dashes, threshold, rate }) =>
        line(threshold, {
          x: (delta: number) => delta,
          y: [...rate],
          z: null,
          stroke: color,
          strokeWidth: 1.8,
          strokeDasharray: dashes,
          title: () => title,
        }),
      ),
    },
    caption,
  );
