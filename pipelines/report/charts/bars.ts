import { barX, barY, dot, ruleX, ruleY, text } from '@observablehq/plot';
import { percent } from '../../kernel/number-format.ts';
import type { LengthBin } from '../../metrics/statistics/length-bins.ts';
import type { Markup } from '../markup.ts';
import { type Caption, draw } from './draw.ts';

/** As many labels as have room beside each other: some six pixels a character, and a gap. */
const withRoom = (labels: string[]): string[] => {
  const widest = labels.reduce((most, label) => Math.max(most, label.length), 1);
  const step = Math.ceil(labels.length / Math.floor(290 / (widest * 6 + 10)));
  return labels.filter((_, i) => i % step === 0);
};

/**
 * Shares by length: a wide pale bar for real, a narrow one in `color` for synthetic. `top` is the axis' end.
 */
export const lengthBars = (
  bins: readonly LengthBin[],
  color: string,
  top: number,
  unit: string,
  caption: Caption,
): Markup => {
  const labels = bins.map(({ label }) => label);
  const title = ({ label, real, synthetic }: LengthBin) =>
    `${label} ${unit}\nreal ${percent(real)}, synthetic ${percent(synthetic)}`;
  const ticks = Array.from({ length: 5 }, (_, i) => (top * i) / 4);
  return draw(
    {
      width: 340,
      height: 210,
      marginLeft: 40,
      marginRight: 8,
      marginTop: 12,
      marginBottom: 36,
      x: {
        type: 'band',
        domain: labels,
        ticks: withRoom(labels),
        tickSize: 0,
        label: `${unit} →`,
        padding: 0.12,
      },
      y: { domain: [0, top], ticks, tickSize: 0, tickFormat: percent, label: null },
      marks: [
        ruleY(ticks, { stroke: 'var(--grid)' }),
        barY(bins, { x: 'label', y: 'real', fill: 'var(--real-soft)', title }),
        barY(bins, { x: 'label', y: 'synthetic', fill: color, inset: 0, insetLeft: 3, insetRight: 3, title }),
      ],
    },
    caption,
  );
};

export interface LabelBar {
  label: string;
  real: number;
  synthetic: { generator: string; color: string; share: number }[];
}

/** What fits the chart's width; the tip has the whole name. */
const fitting = (label: string): string => (label.length > 56 ? `${label.slice(0, 55)}…` : label);

/** One row per label: a pale bar for real, a dot for each generator; the name stands above its bar. */
export const labelBars = (bars: readonly LabelBar[], top: number, caption: Caption): Markup => {
  const ticks = Array.from({ length: 5 }, (_, i) => (top * i) / 4);
  const dots = bars.flatMap(({ label, real, synthetic }) =>
    synthetic.map((mark) => ({ label, real, ...mark })),
  );
  return draw(
    {
      width: 340,
      height: 26 + bars.length * 34,
      marginLeft: 6,
      marginRight: 14,
      marginTop: 22,
      marginBottom: 4,
      x: { domain: [0, top], ticks, tickSize: 0, tickFormat: percent, axis: 'top', label: null, grid: false },
      y: {
        type: 'band',
        domain: bars.map(({ label }) => label),
        axis: null,
        paddingInner: 0.64,
        paddingOuter: 0.36,
        align: 1,
      },
      marks: [
        ruleX(ticks, { stroke: 'var(--grid)' }),
        barX(bars, {
          y: 'label',
          x: 'real',
          fill: 'var(--real-soft)',
          title: ({ label, real }: LabelBar) => `${label}\nreal ${percent(real)}`,
        }),
        text(bars, {
          y: 'label',
          x: 0,
          text: ({ label }: LabelBar) => fitting(label),
          textAnchor: 'start',
          dy: -13,
        }),
        dot(dots, {
          y: 'label',
          x: 'share',
          r: 4,
          fill: 'color',
          stroke: 'var(--paper)',
          title: ({ label, real, generator, share }: (typeof dots)[number]) =>
            `${label}\nreal ${percent(real)}, ${generator} ${percent(share)}`,
        }),
      ],
    },
    caption,
  );
};
