import { dot, line } from '@observablehq/plot';
import type { Markup } from '../markup.ts';
import type { GapPanel } from '../value-plots.ts';
import { type Caption, draw } from './draw.ts';

/**
 * Mean days between visits by number of visits: a thick pale line is real, a thin one in `color` synthetic.
 */
export const gapLines = (
  means: GapPanel['byLength'],
  color: string,
  top: number,
  caption: Caption,
): Markup => {
  const title = ({ length, real, synthetic }: GapPanel['byLength'][number]) =>
    `${length} visits\nreal ${real.toFixed(1)} days, synthetic ${synthetic.toFixed(1)} days`;
  return draw(
    {
      width: 340,
      height: 210,
      marginLeft: 44,
      marginRight: 12,
      marginTop: 22,
      marginBottom: 38,
      x: {
        type: 'point',
        domain: means.map(({ length }) => length),
        tickSize: 0,
        label: 'visits of the patient →',
      },
      y: { domain: [0, top], ticks: 4, tickSize: 0, grid: true, label: '↑ mean days between them' },
      marks: [
        line(means, { x: 'length', y: 'real', stroke: 'var(--line)', strokeWidth: 4 }),
        line(means, { x: 'length', y: 'synthetic', stroke: color, strokeWidth: 1.6 }),
        dot(means, { x: 'length', y: 'real', r: 4, fill: 'var(--line)', title }),
        dot(means, { x: 'length', y: 'synthetic', r: 3, fill: color, title }),
      ],
    },
    caption,
  );
};
