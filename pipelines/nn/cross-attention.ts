/**
 * Multi-head attention of rows to the rows of another sequence, both packed. Rows that read the same line of the
 * memory stand on one line of queries, whichever sequences they are of: nothing of the memory is repeated.
 * B lines, Q queries and T keys each, H heads, D = E / H, R rows, M rows of the memory.
 */
import { type Cells, mergeHeads, mergeHeadsBackward, splitHeads } from './cells.ts';
import { type Linear, linear, linearBackward, type Update } from './layers.ts';
import type { Ops, Tensor } from './ops.ts';

export interface CrossAttention {
  heads: number;
  query: Linear; // E → E
  remember: Linear; // E → 2E: keys, values
  output: Linear; // E → E
}

/** Which rows read which line of the memory. */
export interface CrossGrid {
  queries: Cells; // [B, Q]
  keys: Cells; // [B, T]
  /** [B, 1, 1, T] */
  mask: Tensor;
}

/** What a memory looks like to one layer. */
export interface Remembered {
  keys: Tensor; // [B, H, T, D]
  values: Tensor; // [B, H, T, D]
}

export interface CrossTrace extends Remembered {
  input: Tensor; // [R, E]
  queries: Tensor; // [B, H, Q, D]
  weights: Tensor; // [B, H, Q, T]
  merged: Tensor; // [R, E]
  out: Tensor; // [R, E]
}

/** [M, E] → keys and values of one layer. */
export const remember = (ops: Ops, layer: CrossAttention, cells: Cells, memory: Tensor): Remembered => {
  const rows = linear(ops, layer.remember, memory); // [M, 2E]
  const both = splitHeads(ops, cells, 2 * layer.heads, rows); // [B, 2H, T, D]
  const [batch, , length, size] = both.shape as [number, number, number, number];
  const half = (which: number) =>
    ops.slice(both, [0, which * layer.heads, 0, 0], [batch, layer.heads, length, size]);
  return { keys: half(0), values: half(1) };
};

/** [R, E] → [R, E] */
export const crossAttention = (
  ops: Ops,
  layer: CrossAttention,
  { queries: cells, mask }: Pick<CrossGrid, 'queries' | 'mask'>,
  { keys, values }: Remembered,
  input: Tensor,
): CrossTrace => {
  const queries = splitHeads(ops, cells, layer.heads, linear(ops, layer.query, input)); // [B, H, Q, D]
  const size = queries.shape[3] as number;
  const scores = ops.scale(ops.batchMatMul(queries, keys, { transposeB: true }), 1 / Math.sqrt(size));
  const weights = ops.softmax(ops.add(scores, mask)); // [B, H, Q, T]
  const merged = mergeHeads(ops, cells, ops.batchMatMul(weights, values)); // [R, E]
  return { keys, values, input, queries, weights, merged, out: linear(ops, layer.output, merged) };
};

/** dy [R, E] → gradients of the rows [R, E] and of the memory [M, E] */
export const crossAttentionBackward = (
  ops: Ops,
  layer: CrossAttention,
  grid: CrossGrid,
  trace: CrossTrace,
  memory: Tensor,
  dy: Tensor,
  update: Update,
): { dInput: Tensor; dMemory: Tensor } => {
  const { input, queries, keys, values, weights, merged } = trace;
  const dMerged = linearBackward(ops, layer.output, merged, dy, update);
  const dSeen = mergeHeadsBackward(ops, grid.queries, layer.heads, dMerged); // [B, H, Q, D]
  const dWeights = ops.batchMatMul(dSeen, values, { transposeB: true }); // [B, H, Q, T]
  const dValues = ops.batchMatMul(weights, dSeen, { transposeA: true }); // [B, H, T, D]
  const mean = ops.sumLast(ops.multiply(dWeights, weights)); // [B, H, Q, 1]
  const size = queries.shape[3] as number;
  const dScores = ops.scale(ops.multiply(weights, ops.subtract(dWeights, mean)), 1 / Math.sqrt(size));
  const dKeys = ops.batchMatMul(dScores, queries, { transposeA: true }); // [B, H, T, D]
  const dQueries = mergeHeads(ops, grid.queries, ops.batchMatMul(dScores, keys)); // [R, E]
  const dRemembered = mergeHeads(ops, grid.keys, ops.concat([dKeys, dValues], 1)); // [M, 2E]
  return {
    dInput: linearBackward(ops, layer.query, input, dQueries, update),
    dMemory: linearBackward(ops, layer.remember, memory, dRemembered, update),
  };
};
