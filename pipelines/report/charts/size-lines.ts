import { dot, line, ruleX, ruleY, text } from '@observablehq/plot';
import { decimal, integer } from '../../kernel/number-format.ts';
import type { Markup } from '../markup.ts';
import type { SizeLine, SizePanel } from '../training-sizes.ts';
import { type Caption, draw } from './draw.ts';

export type ColoredLine = SizeLine & { color: string };
type Point = SizeLine['points'][number];

const pointTitle = ({ name, patients, value, interval }: Point): string =>
  [
    `${name}, ${integer(patients)} training patients`,
    decimal(value),
    ...(interval ? [`95% interval ${decimal(interval[0])} to ${decimal(interval[1])}`] : []),
  ].join('\n');

/**
 * A number by training patients (logarithmic), a line per generator with its intervals; dashed rules are
 * references.
 */
export const sizeChart = (
  lines: readonly ColoredLine[],
  references: SizePanel['references'],
  caption: Caption,
): Markup => {
  const points = lines.flatMap((drawn) => drawn.points);
  const sizes = [...new Set(points.map(({ patients }) => patients))].sort((a, b) => a - b);
  return draw(
    {
      width: 340,
      height: 240,
      marginLeft: 48,
      marginRight: 18,
      marginTop: 22,
      marginBottom: 38,
      x: {
        type: 'log',
        ticks: sizes,
        tickSize: 0,
        label: 'training patients →',
        labelAnchor: 'right',
        tickFormat: integer,
      },
      y: {
        ticks: 5,
        tickSize: 0,
        grid: true,
        nice: true,
        label: null,
        tickFormat: (value: number) => String(Number(value.toPrecision(3))),
      },
      marks: [
        ...references.flatMap(({ label, value }, i) => [
          ruleY([value], { stroke: 'var(--line)', strokeDasharray: '3,3' }),
          text([value], {
            y: (at: number) => at,
            text: () => label,
            frameAnchor: 'left',
            textAnchor: 'start',
            // Side by side: references are often close to each other.
            dx: 4 + 82 * i,
            dy: -6,
          }),
        ]),
        ...lines.flatMap(({ points: own, color }) => [
          ruleX(
            own.filter(({ interval }) => interval),
            {
              x: 'patients',
              y1: ({ interval }: Point) => interval?.[0],
              y2: ({ interval }: Point) => interval?.[1],
              stroke: color,
              strokeOpacity: 0.5,
            },
          ),
          line(own, { x: 'patients', y: 'value', stroke: color, strokeWidth: 1.8 }),
          dot(own, { x: 'patients', y: 'value', r: 3, fill: color, title: pointTitle }),
        ]),
      ],
    },
    caption,
  );
};
