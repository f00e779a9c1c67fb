import type { RandomSource } from '../../kernel/random.ts';
import type { Ops, Tensor } from '../ops/ops.ts';

/** Words that are drawn and thrown away, so that near seeds are far apart. */
const discarded = 12;

/**
 * Fills `out` with zero for a dropped unit and 1 / (1 − rate) for a kept one; `rate` to the nearest 1/256.
 * Bytes of sfc32 (Chris Doty-Humphrey, PractRand); three `seeds` in [0, 1) address them. A counter-based
 * source for every unit would take longer than the network.
 */
export const dropUnits = (out: Float32Array, seeds: Float64Array, rate: number): void => {
  let [a, b, c] = [0, 1, 2].map((i) => ((seeds[i] as number) * 2 ** 32) | 0) as [number, number, number];
  const factors = new Float32Array(256).fill(1 / (1 - rate)).fill(0, 0, Math.round(rate * 256));
  const words = Math.ceil(out.length / 4);
  for (let counter = 1 - discarded, at = 0; counter <= words; counter++) {
    const word = (((a + b) | 0) + (counter + discarded)) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + word) | 0;
    if (counter < 1) continue;
    // Writes past the end of a typed array are nothing.
    out[at++] = factors[word & 255] as number;
    out[at++] = factors[(word >>> 8) & 255] as number;
    out[at++] = factors[(word >>> 16) & 255] as number;
    out[at++] = factors[word >>> 24] as number;
  }
};

/** Units set to zero in training, to the nearest 1/256; `step` addresses the draws. */
export interface Dropout {
  rate: number;
  source: RandomSource;
  step: number;
}

/** A mask of zeros and 1 / (1 − rate), of a shape; another one at each call. */
export type Drop = (shape: readonly number[]) => Tensor;

/** Masks in the order in which they are requested; nothing where the rate is zero. */
export const dropMasks = (ops: Ops, dropout: Dropout | undefined): Drop | undefined => {
  if (!dropout || dropout.rate === 0) return undefined;
  const { rate, source, step } = dropout;
  const seeds = new Float64Array(4);
  let site = 0;
  return (shape) => {
    site += 1;
    source.fill(seeds, 0, 4, step, site);
    const mask = new Float32Array(shape.reduce((product, width) => product * width, 1));
    dropUnits(mask, seeds, rate);
    return ops.upload(mask, shape);
  };
};
