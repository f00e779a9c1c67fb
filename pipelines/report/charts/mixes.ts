import { dot, line, ruleY, text } from '@observablehq/plot';
import { decimal, integer } from '../../kernel/number-format.ts';
import type { Markup } from '../markup.ts';
import { type Caption, draw } from './draw.ts';

export interface Mix {
  real: number;
  synthetic: number;
  recall: number;
}

const dashes = ['none', '6,3', '2,2', '8,2,2,2'];

const name = (real: number): string => (real === 0 ? 'synthetic alone' : `+ ${integer(real)} real`);

const [height, top, bottom, apart] = [260, 22, 38, 13];

/** How far each of the heights must move up, in pixels, for a line of text to fit between neighbors. */
const spread = (recalls: readonly number[], [low, high]: readonly [number, number]): number[] => {
  const pixels = (recall: number) => ((recall - low) / (high - low)) * (height - top - bottom);
  const moved = recalls.map(() => 0);
  let last = Number.NEGATIVE_INFINITY;
  for (const i of [...recalls.keys()].sort((a, b) => (recalls[a] as number) - (recalls[b] as number))) {
    const own = pixels(recalls[i] as number);
    last = Math.max(own, last + apart);
    moved[i] = Math.round(last - own);
  }
  return moved;
};

/**
 * Where the label of a rule stands, in pixels: above it, or below where the label above would meet the next
 * rule's.
 */
const besideRule = (at: number, rules: readonly number[], [low, high]: readonly [number, number]): number => {
  const pixels = (value: number) => ((value - low) / (high - low)) * (height - top - bottom);
  return rules.some((other) => other > at && pixels(other) - pixels(at) < apart) ? 7 : -6;
};

/**
 * Recall over the number of synthetic patients, a line for each number of real ones; rules are references.
 */
export const mixChart = (
  mixes: readonly Mix[],
  color: string,
  references: readonly { at: number; label: string }[],
  domain: [number, number],
  caption: Caption,
): Markup => {
  const reals = [...new Set(mixes.filter(({ synthetic }) => synthetic > 0).map(({ real }) => real))].sort(
    (a, b) => a - b,
  );
  const lines = reals.map((real) =>
    mixes.filter((mix) => mix.real === real && mix.synthetic > 0).sort((a, b) => a.synthetic - b.synthetic),
  );
  const shifts = spread(
    lines.map((mixed) => mixed.at(-1)?.recall ?? 0),
    domain,
  );
  const title = ({ real, synthetic, recall }: Mix) =>
    `${integer(synthetic)} synthetic${real > 0 ? ` and ${integer(real)} real` : ''} patients\nrecall ${decimal(recall)}`;
  const most = Math.max(1, ...mixes.map(({ synthetic }) => synthetic));
  return draw(
    {
      width: 340,
      height,
      marginLeft: 40,
      marginRight: 92,
      marginTop: top,
      marginBottom: bottom,
      x: {
        domain: [0, most],
        ticks: 4,
        tickSize: 0,
        label: 'synthetic patients →',
        labelAnchor: 'right',
        tickFormat: integer,
      },
      y: {
        domain,
        ticks: 5,
        tickSize: 0,
        grid: true,
        label: '↑ recall',
        tickFormat: (v: number) => String(Number(v.toFixed(3))),
      },
      marks: [
        ...references.map(({ at }) => ruleY([at], { stroke: 'var(--line)', strokeDasharray: '3,3' })),
        ...lines.flatMap((mixed, i) => [
          line(mixed, {
            x: 'synthetic',
            y: 'recall',
            stroke: color,
            strokeWidth: 1.8,
            strokeDasharray: dashes[i % dashes.length] ?? 'none',
          }),
          dot(mixed, { x: 'synthetic', y: 'recall', r: 3, fill: color, title }),
          text(mixed.slice(-1), {
            x: 'synthetic',
            y: 'recall',
            text: ({ real }: Mix) => name(real),
            textAnchor: 'start',
            dx: 8,
            dy: -(shifts[i] ?? 0),
          }),
        ]),
        // Over the lines, with a border of the background's color, so that they stay readable where lines cross them.
        ...references.map(({ at, label }) =>
          text([at], {
            y: (v: number) => v,
            text: () => label,
            frameAnchor: 'left',
            textAnchor: 'start',
            dx: 4,
            dy: besideRule(
              at,
              references.map((reference) => reference.at),
              domain,
            ),
            fill: 'currentColor',
            stroke: 'var(--paper)',
            strokeWidth: 3,
          }),
        ),
      ],
    },
    caption,
  );
};
