import { barX, dot, ruleX, ruleY, text, tickX } from '@observablehq/plot';
import type { Markup } from '../markup.ts';
import { type Caption, draw } from './draw.ts';

/** A value per generator, with its interval and what real patients in its place give. */
export interface IntervalBar {
  label: string;
  color: string;
  value: number | null;
  interval?: [number, number];
  reference?: number | null;
}

export interface BarScale {
  domain: [number, number];
  /** Where bars begin. */
  base: number;
  /** A threshold through all bars, and its label. */
  line?: { at: number; label: string };
  format: (value: number) => string;
  /** What the ticks are: `real holdout`. */
  referenceIs: string;
  /** Labels above their bars instead of beside them: they may be long. */
  isLabelAbove?: boolean;
}

const rowHeight = 25;
const rowHeightWithLabel = 36;

/** `0.400` as `0.4`: ticks are round. */
const withoutZeros = (text: string): string => text.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');

/** A label as far as there is room: names of branches often differ at the end alone, so the middle goes. */
const fitting = (label: string, most: number): string => {
  const half = Math.floor(most / 2);
  return label.length > most ? `${label.slice(0, half)}…${label.slice(-half)}` : label;
};

/** The smallest domain with round ends that holds all values, intervals, references and `also`. */
export const domainOf = (bars: readonly IntervalBar[], also: readonly number[]): [number, number] => {
  const values = bars.flatMap(({ value, interval = [], reference }) => [
    value,
    ...interval,
    reference ?? null,
  ]);
  const all = [...values.filter((value) => value !== null), ...also];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const width = high - low || 1;
  const step =
    10 ** Math.floor(Math.log10(width)) / (width > 3 * 10 ** Math.floor(Math.log10(width)) ? 1 : 2);
  const round = (value: number) => Number(value.toPrecision(6));
  return [round(Math.floor(low / step + 1e-9) * step), round(Math.ceil(high / step - 1e-9) * step)];
};

const tip = ({ label, value, interval, reference }: IntervalBar, { format, referenceIs }: BarScale): string =>
  [
    `${label} ${value === null ? 'not defined' : format(value)}`,
    ...(interval ? [`95% interval ${format(interval[0])} to ${format(interval[1])}`] : []),
    ...(reference == null ? [] : [`${referenceIs} ${format(reference)}`]),
  ].join('\n');

/** One row a generator: a pale bar, a dot at its value, a line for its interval, a tick for its reference. */
export const intervalBars = (bars: readonly IntervalBar[], scale: BarScale, caption: Caption): Markup => {
  const { domain, base, line, format, isLabelAbove = false } = scale;
  const known = bars.filter(({ value }) => value !== null);
  const title = (bar: IntervalBar) => tip(bar, scale);
  const y = 'label';
  return draw(
    {
      width: 340,
      height: 42 + bars.length * (isLabelAbove ? rowHeightWithLabel : rowHeight),
      marginLeft: isLabelAbove ? 10 : 98,
      marginRight: 48,
      marginTop: line ? 18 : 6,
      marginBottom: 24,
      x: {
        domain,
        ticks: 4,
        tickSize: 0,
        label: null,
        tickFormat: (value: number) => withoutZeros(format(value)),
      },
      y: {
        type: 'band',
        domain: bars.map(({ label }) => label),
        axis: null,
        ...(isLabelAbove ? { paddingInner: 0.6, paddingOuter: 0.4, align: 1 } : { padding: 0.3 }),
      },
      marks: [
        ruleX([base], { stroke: 'var(--grid)' }),
        text(bars, {
          y,
          text: ({ label }: IntervalBar) => fitting(label, isLabelAbove ? 58 : 14),
          frameAnchor: 'left',
          ...(isLabelAbove ? { textAnchor: 'start', dx: -7, dy: -14 } : { textAnchor: 'end', dx: -7 }),
        }),
        barX(known, { y, x1: base, x2: 'value', fill: 'color', fillOpacity: 0.28, title }),
        ...(line
          ? [
              ruleX([line.at], { stroke: 'var(--ink)', strokeDasharray: '3,3' }),
              text([line.at], { x: (at: number) => at, text: () => line.label, frameAnchor: 'top', dy: -11 }),
            ]
          : []),
        ruleY(
          known.filter(({ interval }) => interval),
          {
            y,
            x1: ({ interval }: IntervalBar) => interval?.[0],
            x2: ({ interval }: IntervalBar) => interval?.[1],
            stroke: 'color',
            strokeWidth: 1.6,
          },
        ),
        dot(known, { y, x: 'value', r: 4, fill: 'color', stroke: 'var(--paper)', title }),
        tickX(
          bars.filter(({ reference }) => reference != null),
          { y, x: 'reference', stroke: 'var(--ink)', strokeWidth: 2, title },
        ),
        text(bars, {
          y,
          text: ({ value }: IntervalBar) => (value === null ? '–' : format(value)),
          frameAnchor: 'right',
          textAnchor: 'start',
          dx: 7,
          fontVariant: 'tabular-nums',
        }),
      ],
    },
    caption,
  );
};
