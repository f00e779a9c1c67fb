import type { RandomSource } from '../../kernel/random.ts';
import { dropUnits } from '../layers/dropout.ts';
import type { LstmRows } from '../layers/lstm-rows.ts';
import type { Ops, Tensor } from '../ops/ops.ts';
import type { EncoderShape } from './visit-encoder.ts';

/** Which draws make the masks of one training batch. */
export interface MaskDraws {
  source: RandomSource;
  /** One number per network and epoch. */
  majors: readonly number[];
  batch: number;
}

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
