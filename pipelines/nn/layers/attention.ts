/**
 * Multi-head self-attention over packed rows, in grids of lines of about equal length. Only real rows are projected;
 * scores alone are padded, and only to the longest line of a group. B sequences, H heads, D = E / H, R rows, E width.
 */

import type { Ops, Tensor } from '../ops/ops.ts';
import { type AttendTrace, attend, attendBackward, mergeHeads, splitHeads } from './attend.ts';
import {
  type GroupedCells,
  joinGroups,
  splitGroups,
  toCells,
  toCellsBackward,
  toRows,
  toRowsBackward,
} from './cells.ts';
import { type Linear, linear, linearBackward, type Update } from './layers.ts';

export interface Attention {
  heads: number;
  project: Linear; // E → 3E: queries, keys, values
  output: Linear; // E → E
}

/** Where packed rows stand for the scores, and who sees whom. */
export interface RowGrid extends GroupedCells {
  /** One for each group, added to the scores: zero where a row may look, -1e10 elsewhere; see attend. */
  masks: readonly Tensor[];
}

export interface AttentionTrace {
  input: Tensor; // [R, E]
  groups: AttendTrace[];
  merged: Tensor; // [R, E]
  out: Tensor; // [R, E]
}

/** [R, E] → [R, E] */
export const attention = (ops: Ops, layer: Attention, grid: RowGrid, input: Tensor): AttentionTrace => {
  const cells = splitGroups(ops, grid, toCells(ops, grid, linear(ops, layer.project, input)));
  const groups: AttendTrace[] = [];
  const seen = grid.groups.map(({ lines }, group) => {
    const three = splitHeads(ops, cells[group] as Tensor, lines.length, 3, layer.heads);
    const [queries, keys, values] = three as [Tensor, Tensor, Tensor];
    const attended = attend(ops, { queries, keys, values }, grid.masks[group] as Tensor);
    groups.push(attended.trace);
    return mergeHeads(ops, [attended.seen]);
  });
  const merged = toRows(ops, grid, joinGroups(ops, seen));
  return { input, groups, merged, out: linear(ops, layer.output, merged) };
};

/** dy [R, E] → dx [R, E] */
export const attentionBackward = (
  ops: Ops,
  layer: Attention,
  grid: RowGrid,
  { input, groups, merged }: AttentionTrace,
  dy: Tensor,
  update: Update,
): Tensor => {
  const dMerged = linearBackward(ops, layer.output, merged, dy, update);
  const dCells = splitGroups(ops, grid, toRowsBackward(ops, grid, dMerged));
  const parts = grid.groups.map(({ lines }, group) => {
    const [dSeen] = splitHeads(ops, dCells[group] as Tensor, lines.length, 1, layer.heads);
    const slopes = attendBackward(ops, groups[group] as AttendTrace, dSeen as Tensor);
    return mergeHeads(ops, [slopes.dQueries, slopes.dKeys, slopes.dValues]);
  });
  const dProjected = toCellsBackward(ops, grid, joinGroups(ops, parts));
  return linearBackward(ops, layer.project, input, dProjected, update);
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
  const batch = input.shape[0] as number;
  const three = splitHeads(ops, linear(ops, layer.project, input), batch, 3, layer.heads); // [B, H, 1, D]
  const [queries, newKeys, newValues] = three as [Tensor, Tensor, Tensor];
  const grow = (past: Tensor | undefined, next: Tensor): Tensor => {
    const all = ops.keep(past ? ops.concat([past, next], 2) : next); // [B, H, t+1, D]
    if (past) ops.free(past);
    return all;
  };
  const keys = grow(cache?.keys, newKeys);
  const values = grow(cache?.values, newValues);
  const { seen } = attend(ops, { queries, keys, values }); // [B, H, 1, D]
  return { out: linear(ops, layer.output, mergeHeads(ops, [seen])), cache: { keys, values } };
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
