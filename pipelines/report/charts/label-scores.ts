import { barX, dot, ruleX, text } from '@observablehq/plot';
import { decimal } from '../../kernel/number-format.ts';
import type { Markup } from '../markup.ts';
import { type Caption, draw } from './draw.ts';

/** What one arrangement reached on a label: `bar` is what the others are compared with. */
export interface LabelMark {
  label: string;
  bar: number;
  dot?: number;
  ring?: number;
}

/** What the three marks stand for. */
export interface MarkNames {
  bar: string;
  dot: string;
  ring: string;
}

const fitting = (label: string): string => (label.length > 52 ? `${label.slice(0, 51)}…` : label);

const tip = ({ label, ...values }: LabelMark, names: MarkNames): string =>
  [
    label,
    ...(['bar', 'dot', 'ring'] as const).flatMap((mark) => {
      const value = values[mark];
      return value === undefined ? [] : [`${names[mark]} ${decimal(value)}`];
    }),
  ].join('\n');

/** AUC by label: a pale bar from guessing, a dot in `color`, and a ring; the name stands above its bar. */
export const labelScores = (
  marks: readonly LabelMark[],
  low: number,
  color: string,
  names: MarkNames,
  caption: Caption,
): Markup => {
  const ticks = [0, 0.25, 0.5, 0.75, 1].filter((tick) => tick >= low);
  const title = (mark: LabelMark) => tip(mark, names);
  const y = 'label';
  return draw(
    {
      width: 340,
      height: 30 + marks.length * 30,
      marginLeft: 6,
      marginRight: 14,
      marginTop: 22,
      marginBottom: 4,
      x: { domain: [low, 1], ticks, tickSize: 0, tickFormat: String, axis: 'top', label: null },
      y: {
        type: 'band',
        domain: marks.map(({ label }) => label),
        axis: null,
        paddingInner: 0.6,
        paddingOuter: 0.36,
        align: 1,
      },
      marks: [
        ruleX(ticks, { stroke: 'var(--grid)' }),
        ruleX([0.5], { stroke: 'var(--ink)', strokeDasharray: '3,3' }),
        barX(marks, { y, x1: 0.5, x2: 'bar', fill: 'var(--real-soft)', title }),
        text(marks, {
          y,
          text: ({ label }: LabelMark) => fitting(label),
          frameAnchor: 'left',
          textAnchor: 'start',
          dy: -12,
          fill: 'currentColor',
          stroke: 'var(--paper)',
          strokeWidth: 3,
        }),
        dot(
          marks.filter(({ ring }) => ring !== undefined),
          { y, x: 'ring', r: 4.5, fill: 'none', stroke: color, strokeWidth: 1.6, title },
        ),
        dot(
          marks.filter((mark) => mark.dot !== undefined),
          { y, x: 'dot', r: 3.6, fill: color, stroke: 'var(--paper)', title },
        ),
      ],
    },
    caption,
  );
};
