/**
 * Multi-head attention (Vaswani et al., Attention is all you need, 2017) over packed rows, in grids of lines
 * of about equal length. Only real rows are projected; scores alone are padded, and only to the longest line
 * of a group. B lines of a group, Q queries and T keys each, H heads, D = E / H, R rows, M rows that are
 * read, E width.
 */

import type { Ops, Tensor } from '../ops/ops.ts';
import {
  type GroupedCells,
  joinGroups,
  splitGroups,
  toCells,
  toCellsBackward,
  toRows,
  toRowsBackward,
} from './cells.ts';
import { type Gradients, type Linear, linear, linearBackward } from './layers.ts';

/** What queries look at. A cache of them is kept, so that its holder frees it. */
export interface KeysValues {
  keys: Tensor; // [B, H, T, D]
  values: Tensor; // [B, H, T, D]
}

/** Attention of one grid. */
export interface ScoresTrace extends KeysValues {
  queries: Tensor; // [B, H, Q, D], divided by √D
  weights: Tensor; // [B, H, Q, T]
}

/** What attention remembers of its groups of lines. */
export interface AttentionTrace {
  input: Tensor; // [R, E]
  groups: ScoresTrace[];
  merged: Tensor; // [R, E]
  out: Tensor; // [R, E]
}

/**
 * `mask`, where not all is seen, is added to the scores: [B, 1, 1, T] or [B, 1, Q, T]. Gives what each query
 * saw, [B, H, Q, D].
 */
const attend = (
  ops: Ops,
  queries: Tensor,
  { keys, values }: KeysValues,
  mask?: Tensor,
): { trace: ScoresTrace; seen: Tensor } => {
  const scaled = ops.scale(queries, 1 / Math.sqrt(queries.shape[3] as number));
  const scores = ops.batchMatMul(scaled, keys, { transposeB: true }); // [B, H, Q, T]
  const weights = ops.softmax(mask ? ops.add(scores, mask) : scores);
  return { trace: { queries: scaled, keys, values, weights }, seen: ops.batchMatMul(weights, values) };
};

interface ScoresGradient {
  dQueries: Tensor;
  dKeys: Tensor;
  dValues: Tensor;
}

/** dSeen [B, H, Q, D] → gradients of queries, keys and values */
const attendBackward = (
  ops: Ops,
  { queries, keys, values, weights }: ScoresTrace,
  dSeen: Tensor,
): ScoresGradient => {
  const dWeights = ops.batchMatMul(dSeen, values, { transposeB: true }); // [B, H, Q, T]
  const dValues = ops.batchMatMul(weights, dSeen, { transposeA: true });
  const mean = ops.sumLast(ops.multiply(dWeights, weights)); // [B, H, Q, 1]
  const dScores = ops.multiply(weights, ops.subtract(dWeights, mean));
  const dKeys = ops.batchMatMul(dScores, queries, { transposeA: true });
  const dQueries = ops.scale(ops.batchMatMul(dScores, keys), 1 / Math.sqrt(queries.shape[3] as number));
  return { dQueries, dKeys, dValues };
};

/** [B·T, parts·H·D] → parts of [B, H, T, D] */
const splitHeads = (ops: Ops, cells: Tensor, batch: number, parts: number, heads: number): Tensor[] => {
  const [count, width] = cells.shape as [number, number];
  const shape = [batch, count / batch, parts, heads, width / parts / heads];
  if (parts === 1) return [ops.transpose(ops.reshape(cells, shape.toSpliced(2, 1)), [0, 2, 1, 3])];
  return ops.unstack(ops.transpose(ops.reshape(cells, shape), [2, 0, 3, 1, 4]));
};

/** The inverse. */
const mergeHeads = (ops: Ops, parts: readonly Tensor[]): Tensor => {
  const [first] = parts;
  const [batch, heads, length, size] = (first as Tensor).shape as [number, number, number, number];
  const merged =
    parts.length === 1
      ? ops.transpose(first as Tensor, [0, 2, 1, 3])
      : ops.transpose(ops.stack(parts), [1, 3, 0, 2, 4]);
  return ops.reshape(merged, [batch * length, parts.length * heads * size]);
};

/** Rows [R, E] projected → for each group, `parts` of [B, H, T, D]. */
const project = (
  ops: Ops,
  layer: Linear,
  grid: GroupedCells,
  input: Tensor,
  parts: number,
  heads: number,
): Tensor[][] => {
  const cells = splitGroups(ops, grid, toCells(ops, grid, linear(ops, layer, input)));
  return grid.groups.map(({ lines }, group) =>
    splitHeads(ops, cells[group] as Tensor, lines.length, parts, heads),
  );
};

/** Each group's gradients of what project gave → dInput [R, E] */
const projectBackward = (
  pass: Gradients,
  layer: Linear,
  grid: GroupedCells,
  input: Tensor,
  groups: readonly (readonly Tensor[])[],
): Tensor => {
  const { ops } = pass;
  const cells = groups.map((parts) => mergeHeads(ops, parts));
  return linearBackward(pass, layer, input, toCellsBackward(ops, grid, joinGroups(ops, cells)));
};

/** What layers of attention have in common. */
interface Reader {
  heads: number;
  output: Linear; // E → E
}

/** Each group's queries [B, H, Q, D], with what they look at, → [R, E] */
const attendGroups = (
  ops: Ops,
  layer: Reader,
  { grid, masks }: { grid: GroupedCells; masks: readonly Tensor[] },
  queries: readonly Tensor[],
  keysValues: readonly KeysValues[],
  input: Tensor,
): AttentionTrace => {
  const groups: ScoresTrace[] = [];
  const seen = queries.map((own, group) => {
    const attended = attend(ops, own, keysValues[group] as KeysValues, masks[group] as Tensor);
    groups.push(attended.trace);
    return mergeHeads(ops, [attended.seen]);
  });
  const merged = toRows(ops, grid, joinGroups(ops, seen));
  return { input, groups, merged, out: linear(ops, layer.output, merged) };
};

/** dy [R, E] → gradients of each group */
const attendGroupsBackward = (
  pass: Gradients,
  layer: Reader,
  grid: GroupedCells,
  { groups, merged }: AttentionTrace,
  dy: Tensor,
): ScoresGradient[] => {
  const { ops } = pass;
  const dMerged = linearBackward(pass, layer.output, merged, dy);
  const dCells = splitGroups(ops, grid, toRowsBackward(ops, grid, dMerged));
  return grid.groups.map(({ lines }, group) => {
    const [dSeen] = splitHeads(ops, dCells[group] as Tensor, lines.length, 1, layer.heads);
    return attendBackward(ops, groups[group] as ScoresTrace, dSeen as Tensor);
  });
};

/** Self-attention. */
export interface Attention extends Reader {
  project: Linear; // E → 3E: queries, keys, values
}

/** Where packed rows stand for the scores, and which rows see which. */
export interface RowGrid extends GroupedCells {
  /** One for each group, added to the scores: zero where a row may look, -1e10 elsewhere; see attend. */
  masks: readonly Tensor[];
}

/** [R, E] → [R, E] */
export const attention = (ops: Ops, layer: Attention, grid: RowGrid, input: Tensor): AttentionTrace => {
  const groups = project(ops, layer.project, grid, input, 3, layer.heads) as [Tensor, Tensor, Tensor][];
  return attendGroups(
    ops,
    layer,
    { grid, masks: grid.masks },
    groups.map(([queries]) => queries),
    groups.map(([, keys, values]) => ({ keys, values })),
    input,
  );
};

/** dy [R, E] → dx [R, E] */
export const attentionBackward = (
  pass: Gradients,
  layer: Attention,
  grid: RowGrid,
  trace: AttentionTrace,
  dy: Tensor,
): Tensor => {
  const groups = attendGroupsBackward(pass, layer, grid, trace, dy).map(({ dQueries, dKeys, dValues }) => [
    dQueries,
    dKeys,
    dValues,
  ]);
  return projectBackward(pass, layer.project, grid, trace.input, groups);
};

/**
 * The next position of B sequences: [B, E] → [B, E]. The cache given is freed; the longer one is the
 * caller's.
 */
export const attendNext = (
  ops: Ops,
  layer: Attention,
  input: Tensor,
  cache: KeysValues | undefined,
): { out: Tensor; cache: KeysValues } => {
  const batch = input.shape[0] as number;
  const three = splitHeads(ops, linear(ops, layer.project, input), batch, 3, layer.heads); // [B, H, 1, D]
  const [queries, newKeys, newValues] = three as [Tensor, Tensor, Tensor];
  const grow = (past: Tensor | undefined, next: Tensor): Tensor => {
    const all = ops.keep(past ? ops.concat([past, next], 2) : next); // [B, H, t+1, D]
    if (past) ops.free(past);
    return all;
  };
  const longer = { keys: grow(cache?.keys, newKeys), values: grow(cache?.values, newValues) };
  const { seen } = attend(ops, queries, longer); // [B, H, 1, D]
  return { out: linear(ops, layer.output, mergeHeads(ops, [seen])), cache: longer };
};

/**
 * Some of the lines of keys and values, in the caller's keeping: a line may come twice. Belongs to an open
 * scope.
 */
export const selectLines = (ops: Ops, { keys, values }: KeysValues, lines: Tensor): KeysValues => ({
  keys: ops.keep(ops.gather(keys, lines)),
  values: ops.keep(ops.gather(values, lines)),
});

/** As selectLines, of a cache that is freed. */
export const selectCache = (ops: Ops, cache: KeysValues, sequences: Tensor): KeysValues => {
  const chosen = selectLines(ops, cache, sequences);
  freeCache(ops, cache);
  return chosen;
};

/** Frees keys and values that were kept. */
export const freeCache = (ops: Ops, { keys, values }: KeysValues): void => {
  ops.free(keys);
  ops.free(values);
};

/**
 * Attention of rows to the rows of another sequence, both packed. Rows that read the same line stand on one
 * line of queries, whichever sequences they are of: nothing of what is read is repeated.
 */
export interface CrossAttention extends Reader {
  query: Linear; // E → E
  keysValues: Linear; // E → 2E
}

/** Which rows read which line of the other sequence; both sides have the same groups of lines. */
export interface CrossGrid {
  queries: GroupedCells;
  keys: GroupedCells;
  /** [B, 1, 1, T] for each group */
  masks: readonly Tensor[];
}

/** The rows that are read, [M, E] → keys and values of one layer, group by group. */
export const crossKeysValues = (
  ops: Ops,
  layer: CrossAttention,
  grid: GroupedCells,
  source: Tensor,
): KeysValues[] => {
  const groups = project(ops, layer.keysValues, grid, source, 2, layer.heads) as [Tensor, Tensor][];
  return groups.map(([keys, values]) => ({ keys, values }));
};

/** [R, E] → [R, E] */
export const crossAttention = (
  ops: Ops,
  layer: CrossAttention,
  { queries: grid, masks }: Pick<CrossGrid, 'queries' | 'masks'>,
  keysValues: readonly KeysValues[],
  input: Tensor,
): AttentionTrace => {
  const queries = project(ops, layer.query, grid, input, 1, layer.heads).flat();
  return attendGroups(ops, layer, { grid, masks }, queries, keysValues, input);
};

/** dy [R, E] → gradients of the rows [R, E] and of those that they read, `source` [M, E] */
export const crossAttentionBackward = (
  pass: Gradients,
  layer: CrossAttention,
  { queries, keys }: CrossGrid,
  trace: AttentionTrace,
  source: Tensor,
  dy: Tensor,
): { dInput: Tensor; dSource: Tensor } => {
  const groups = attendGroupsBackward(pass, layer, queries, trace, dy);
  const dQueries = groups.map((group) => [group.dQueries]);
  const dKeysValues = groups.map(({ dKeys, dValues }) => [dKeys, dValues]);
  return {
    dInput: projectBackward(pass, layer.query, queries, trace.input, dQueries),
    dSource: projectBackward(pass, layer.keysValues, keys, source, dKeysValues),
  };
};
