/**
 * Multi-head self-attention over packed rows. Only real rows are projected; for the scores alone, rows are laid out
 * as [B, T] with T the longest sequence of the batch. The mask decides who sees whom: padding comes after a
 * sequence's end, so the causal mask already keeps real rows from seeing it; without causality it takes a padding
 * mask. B sequences, T positions, H heads, D = E / H, R rows.
 */
import { type Cells, sumCells } from './cells.ts';
import { type Linear, linear, linearBackward, type Update } from './layers.ts';
import type { Ops, Tensor } from './ops.ts';

/** Where packed rows lie in the [B, T] grid, and back. */
export interface RowGrid extends Cells {
  /** [T, T] or [B, 1, 1, T]: zero where position i may see j, -1e10 elsewhere. */
  mask: Tensor;
}

/** [T, T] for the scores of T positions: zero where position i may see j ≤ i, -1e10 elsewhere. */
export const causalMask = (ops: Ops, length: number): Tensor => {
  const mask = new Float32Array(length * length);
  for (let i = 0; i < length; i++) mask.fill(-1e10, i * length + i + 1, (i + 1) * length);
  return ops.upload(mask, [length, length]);
};

export interface AttentionTrace {
  input: Tensor; // [R, E]
  queries: Tensor; // [B, H, T, D]
  keys: Tensor; // [B, H, T, D]
  values: Tensor; // [B, H, T, D]
  weights: Tensor; // [B, H, T, T]
  merged: Tensor; // [R, E]
  out: Tensor; // [R, E]
}
export interface Attention {
  heads: number;
  project: Linear; // E → 3E: queries, keys, values
  output: Linear; // E → E
}

/** One of the three in [3, B, H, T, D]. */
const part = (ops: Ops, stacked: Tensor, which: number): Tensor => {
  const [, ...shape] = stacked.shape;
  const one = ops.slice(stacked, [which, 0, 0, 0, 0], [1, ...shape]);
  return ops.reshape(one, shape);
};

/** [R, E] → [R, E] */
export const attention = (ops: Ops, layer: Attention, grid: RowGrid, input: Tensor): AttentionTrace => {
  const { batch, length } = grid;
  const width = input.shape[1] as number;
  const size = width / layer.heads;
  const projected = ops.gather(linear(ops, layer.project, input), grid.rowOfCell); // [B·T, 3E]
  const split = ops.reshape(projected, [batch, length, 3, layer.heads, size]);
  const stacked = ops.transpose(split, [2, 0, 3, 1, 4]); // [3, B, H, T, D]
  const queries = part(ops, stacked, 0);
  const keys = part(ops, stacked, 1);
  const values = part(ops, stacked, 2);
  const scores = ops.scale(ops.batchMatMul(queries, keys, { transposeB: true }), 1 / Math.sqrt(size));
  const weights = ops.softmax(ops.add(scores, grid.mask)); // [B, H, T, T]
  const seen = ops.transpose(ops.batchMatMul(weights, values), [0, 2, 1, 3]); // [B, T, H, D]
  const merged = ops.gather(ops.reshape(seen, [batch * length, width]), grid.cellOfRow); // [R, E]
  return { input, queries, keys, values, weights, merged, out: linear(ops, layer.output, merged) };
};

/** dy [R, E] → dx [R, E] */
export const attentionBackward = (
  ops: Ops,
  layer: Attention,
  grid: RowGrid,
  { input, queries, keys, values, weights, merged }: AttentionTrace,
  dy: Tensor,
  update: Update,
): Tensor => {
  const { batch, length } = grid;
  const width = input.shape[1] as number;
  const size = width / layer.heads;
  const dMerged = linearBackward(ops, layer.output, merged, dy, update);
  const zero = ops.upload(new Float32Array(width), [1, width]);
  const dCells = ops.gather(ops.concat([dMerged, zero], 0), grid.rowOrZeroOfCell); // [B·T, E]
  const dSeen = ops.transpose(ops.reshape(dCells, [batch, length, layer.heads, size]), [0, 2, 1, 3]);
  const dWeights = ops.batchMatMul(dSeen, values, { transposeB: true }); // [B, H, T, T]
  const dValues = ops.batchMatMul(weights, dSeen, { transposeA: true }); // [B, H, T, D]
  const mean = ops.sumLast(ops.multiply(dWeights, weights)); // [B, H, T, 1]
  const dScores = ops.scale(ops.multiply(weights, ops.subtract(dWeights, mean)), 1 / Math.sqrt(size));
  const dQueries = ops.batchMatMul(dScores, keys);
  const dKeys = ops.batchMatMul(dScores, queries, { transposeA: true });
  const whole = [1, batch, layer.heads, length, size];
  const stacked = ops.concat(
    [dQueries, dKeys, dValues].map((gradient) => ops.reshape(gradient, whole)),
    0,
  );
  const cells = ops.reshape(ops.transpose(stacked, [1, 3, 0, 2, 4]), [batch * length, 3 * width]);
  return linearBackward(ops, layer.project, input, sumCells(ops, grid, cells), update);
};

/** Keys and values of the positions so far, [B, H, t, D] each; kept, so the holder frees them. */
export interface KeyValueCache {
  keys: Tensor;
  values: Tensor;
}

/** The next position of B sequences: [B, E] → [B, E]. The cache given is freed; the longer one is the caller's. */
export const attendNext = (
  ops: Ops,
  layer: Attention,
  input: Tensor,
  cache: KeyValueCache | undefined,
): { out: Tensor; cache: KeyValueCache } => {
  const [batch, width] = input.shape as [number, number];
  const size = width / layer.heads;
  const split = ops.reshape(linear(ops, layer.project, input), [batch, 3, layer.heads, 1, size]);
  const stacked = ops.transpose(split, [1, 0, 2, 3, 4]); // [3, B, H, 1, D]
  const grow = (past: Tensor | undefined, next: Tensor): Tensor => {
    const all = ops.keep(past ? ops.concat([past, next], 2) : next); // [B, H, t+1, D]
    if (past) ops.free(past);
    return all;
  };
  const keys = grow(cache?.keys, part(ops, stacked, 1));
  const values = grow(cache?.values, part(ops, stacked, 2));
  const scores = ops.batchMatMul(part(ops, stacked, 0), keys, { transposeB: true }); // [B, H, 1, t+1]
  const weights = ops.softmax(ops.scale(scores, 1 / Math.sqrt(size)));
  const merged = ops.reshape(ops.batchMatMul(weights, values), [batch, width]);
  return { out: linear(ops, layer.output, merged), cache: { keys, values } };
};

/** The cache of some of its sequences; the one given is freed. */
export const selectCache = (ops: Ops, cache: KeyValueCache, sequences: Tensor): KeyValueCache => {
  const select = (past: Tensor): Tensor => {
    const chosen = ops.keep(ops.gather(past, sequences));
    ops.free(past);
    return chosen;
  };
  return { keys: select(cache.keys), values: select(cache.values) };
};
