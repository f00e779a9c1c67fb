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

/**
 * Fills `out` with zero for a dropped unit and 1 / (1 − rate) for a kept one; `rate` to the nearest 1/256.
 * Bytes of sfc32 (Chris Doty-Humphrey, PractRand); the source seeds it, and would take longer than the
 * network.
 */
const dropUnits = (out: Float32Array, seeds: Float64Array, rate: number): void => {
  let [a, b, c] = [0, 1, 2].map((i) => ((seeds[i] as number) * 2 ** 32) | 0) as [number, number, number];
  let counter = 1;
  let word = 0;
  const threshold = Math.round(rate * 256);
  const kept = 1 / (1 - rate);
  for (let i = -48; i < out.length; i++) {
    if ((i & 3) === 0) {
      word = (((a + b) | 0) + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + word) | 0;
    } else word >>>= 8;
    if (i >= 0) out[i] = (word & 255) < threshold ? 0 : kept;
  }
};

/** [G, R, width] */
const mask = (draws: MaskDraws, site: number, size: number, rate: number): Float32Array => {
  const out = new Float32Array(draws.majors.length * size);
  const seeds = new Float64Array(4);
  for (const [group, major] of draws.majors.entries()) {
    draws.source.fill(seeds, 0, 4, major, 1 + draws.batch * 8 + site);
    dropUnits(out.subarray(group * size, (group + 1) * size), seeds, rate);
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
  return widths.map((width, site) =>
    ops.upload(mask(draws, site, rows * width, rate), [groups, rows, width]),
  );
};
