/** Scaled dot-product attention of one grid. B lines, Q queries and T keys each, H heads of D. */
import type { Ops, Tensor } from '../ops/ops.ts';

export interface AttendTrace {
  queries: Tensor; // [B, H, Q, D], divided by √D
  keys: Tensor; // [B, H, T, D]
  values: Tensor; // [B, H, T, D]
  weights: Tensor; // [B, H, Q, T]
}

/** `mask`, where not all is seen, is added to the scores: [B, 1, 1, T] or [B, 1, Q, T]. Gives what each query saw, [B, H, Q, D]. */
export const attend = (
  ops: Ops,
  { queries, keys, values }: { queries: Tensor; keys: Tensor; values: Tensor },
  mask?: Tensor,
): { trace: AttendTrace; seen: Tensor } => {
  const scaled = ops.scale(queries, 1 / Math.sqrt(queries.shape[3] as number));
  const scores = ops.batchMatMul(scaled, keys, { transposeB: true }); // [B, H, Q, T]
  const weights = ops.softmax(mask ? ops.add(scores, mask) : scores);
  return { trace: { queries: scaled, keys, values, weights }, seen: ops.batchMatMul(weights, values) };
};

/** dSeen [B, H, Q, D] → gradients of queries, keys and values */
export const attendBackward = (
  ops: Ops,
  { queries, keys, values, weights }: AttendTrace,
  dSeen: Tensor,
): { dQueries: Tensor; dKeys: Tensor; dValues: Tensor } => {
  const dWeights = ops.batchMatMul(dSeen, values, { transposeB: true }); // [B, H, Q, T]
  const dValues = ops.batchMatMul(weights, dSeen, { transposeA: true });
  const mean = ops.sumLast(ops.multiply(dWeights, weights)); // [B, H, Q, 1]
  const dScores = ops.multiply(weights, ops.subtract(dWeights, mean));
  const dKeys = ops.batchMatMul(dScores, queries, { transposeA: true });
  const dQueries = ops.scale(ops.batchMatMul(dScores, keys), 1 / Math.sqrt(queries.shape[3] as number));
  return { dQueries, dKeys, dValues };
};

/** [B·T, parts·H·D] → parts of [B, H, T, D] */
export const splitHeads = (
  ops: Ops,
  cells: Tensor,
  batch: number,
  parts: number,
  heads: number,
): Tensor[] => {
  const [count, width] = cells.shape as [number, number];
  const shape = [batch, count / batch, parts, heads, width / parts / heads];
  if (parts === 1) return [ops.transpose(ops.reshape(cells, shape.toSpliced(2, 1)), [0, 2, 1, 3])];
  return ops.unstack(ops.transpose(ops.reshape(cells, shape), [2, 0, 3, 1, 4]));
};

/** The inverse. */
export const mergeHeads = (ops: Ops, parts: readonly Tensor[]): Tensor => {
  const [first] = parts;
  const [batch, heads, length, size] = (first as Tensor).shape as [number, number, number, number];
  const merged =
    parts.length === 1
      ? ops.transpose(first as Tensor, [0, 2, 1, 3])
      : ops.transpose(ops.stack(parts), [1, 3, 0, 2, 4]);
  return ops.reshape(merged, [batch * length, parts.length * heads * size]);
};
