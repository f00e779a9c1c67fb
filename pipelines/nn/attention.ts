/**
 * Multi-head self-attention over packed rows. Only real rows are projected; for the scores alone, rows are laid out
 * as [B, T] with T the longest sequence of the batch. The mask decides who sees whom: padding comes after a
 * sequence's end, so the causal mask already keeps real rows from seeing it; without causality it takes a padding
 * mask. B sequences, T positions, H heads, D = E / H, R rows.
 */
import { type Cells, toCells, toCellsBackward, toRows, toRowsBackward } from './cells.ts';
import { type Linear, linear, linearBackward, type Update } from './layers.ts';
import type { Ops, Tensor } from './ops.ts';

/** Where packed rows lie in the [B, T] grid, and back. */
export interface RowGrid extends Cells {
  /** [T, T], [B, 1, 1, T] or [B, 1, T, T]: zero where position i may see j, -1e10 elsewhere. */
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

/** Queries, keys and values, from [3, B, H, T, D]. */
const threeOf = (ops: Ops, stacked: Tensor) => ops.unstack(stacked) as [Tensor, Tensor, Tensor];

/** [R, E] → [R, E] */
export const attention = (ops: Ops, layer: Attention, grid: RowGrid, input: Tensor): AttentionTrace => {
  const { batch, length } = grid;
  const width = input.shape[1] as number;
  const size = width / layer.heads;
  const projected = toCells(ops, grid, linear(ops, layer.project, input)); // [B·T, 3E]
  const split = ops.reshape(projected, [batch, length, 3, layer.heads, size]);
  const [queries, keys, values] = threeOf(ops, ops.transpose(split, [2, 0, 3, 1, 4]));
  const scores = ops.scale(ops.batchMatMul(queries, keys, { transposeB: true }), 1 / Math.sqrt(size));
  const weights = ops.softmax(ops.add(scores, grid.mask)); // [B, H, T, T]
  const seen = ops.transpose(ops.batchMatMul(weights, values), [0, 2, 1, 3]); // [B, T, H, D]
  const merged = toRows(ops, grid, ops.reshape(seen, [batch * length, width])); // [R, E]
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
  const dCells = toRowsBackward(ops, grid, dMerged); // [B·T, E]
  const dSeen = ops.transpose(ops.reshape(dCells, [batch, length, layer.heads, size]), [0, 2, 1, 3]);
  const dWeights = ops.batchMatMul(dSeen, values, { transposeB: true }); // [B, H, T, T]
  const dValues = ops.batchMatMul(weights, dSeen, { transposeA: true }); // [B, H, T, D]
  const mean = ops.sumLast(ops.multiply(dWeights, weights)); // [B, H, T, 1]
  const dScores = ops.scale(ops.multiply(weights, ops.subtract(dWeights, mean)), 1 / Math.sqrt(size));
  const dQueries = ops.batchMatMul(dScores, keys);
  const dKeys = ops.batchMatMul(dScores, queries, { transposeA: true });
  const stacked = ops.stack([dQueries, dKeys, dValues]); // [3, B, H, T, D]
  const cells = ops.reshape(ops.transpose(stacked, [1, 3, 0, 2, 4]), [batch * length, 3 * width]);
  return linearBackward(ops, layer.project, input, toCellsBackward(ops, grid, cells), update);
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
  const [queries, newKeys, newValues] = threeOf(ops, ops.transpose(split, [1, 0, 2, 3, 4])); // [B, H, 1, D]
  const grow = (past: Tensor | undefined, next: Tensor): Tensor => {
    const all = ops.keep(past ? ops.concat([past, next], 2) : next); // [B, H, t+1, D]
    if (past) ops.free(past);
    return all;
  };
  const keys = grow(cache?.keys, newKeys);
  const values = grow(cache?.values, newValues);
  const scores = ops.batchMatMul(queries, keys, { transposeB: true }); // [B, H, 1, t+1]
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
