import type { LstmRows } from '../nn/lstm-rows.ts';
import type { Ops, Tensor } from '../nn/ops.ts';
import type { RandomSource } from '../random.ts';
import type { EncoderShape } from './visit-encoder.ts';

/** Which draws make the masks of one training batch. */
export interface MaskDraws {
  source: RandomSource;
  /** One number per network and epoch. */
  majors: readonly number[];
  batch: number;
}

/** Units that one random number decides: 16 of its 53 bits each. */
const perDraw = 3;

/** Zero for a dropped unit, 1 / (1 − rate) for a kept one, [G, R, width]; `rate` to the nearest 1/65,536. */
const mask = (draws: MaskDraws, site: number, rows: number, width: number, rate: number): Float32Array => {
  const size = rows * width;
  const out = new Float32Array(draws.majors.length * size);
  const units = new Float64Array(Math.ceil(size / perDraw));
  const threshold = Math.round(rate * 65536);
  const kept = 1 / (1 - rate);
  for (const [group, major] of draws.majors.entries()) {
    draws.source.fill(units, 0, units.length, major, 1 + draws.batch * 8 + site);
    for (let i = 0, at = group * size; i < size; i++, at++) {
      const shifted = (units[Math.floor(i / perDraw)] as number) * 65536 ** ((i % perDraw) + 1);
      if (Math.floor(shifted) % 65536 >= threshold) out[at] = kept;
    }
  }
  return out;
};

/** Masks for the embedded visits and between every two layers; none where the rate is 0. */
export const dropoutMasks = (
  ops: Ops,
  draws: MaskDraws,
  { rows, groups }: LstmRows,
  { embedding, hidden, directions, layers }: EncoderShape,
  rate: number,
): Tensor[] => {
  if (rate === 0) return [];
  const widths = [embedding, ...new Array<number>(layers - 1).fill(directions * hidden)];
  return widths.map((width, site) => ops.upload(mask(draws, site, rows, width, rate), [groups, rows, width]));
};
