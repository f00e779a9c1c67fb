/**
 * Multi-head self-attention over packed rows, in grids of lines of about equal length. Only real rows are projected;
 * scores alone are padded, and only to the longest line of a group. R rows, E width.
 */
import { type AttendTrace, attend, attendBackward, mergeHeads, splitHeads } from './attend.ts';
import type { Attention } from './attention.ts';
import {
  type GroupedCells,
  joinGroups,
  splitGroups,
  toCells,
  toCellsBackward,
  toRows,
  toRowsBackward,
} from './cells.ts';
import { linear, linearBackward, type Update } from './layers.ts';
import type { Ops, Tensor } from './ops.ts';

export interface GroupedGrid extends GroupedCells {
  /** One for each group: see attend. */
  masks: readonly Tensor[];
}

export interface GroupedTrace {
  input: Tensor; // [R, E]
  groups: AttendTrace[];
  merged: Tensor; // [R, E]
  out: Tensor; // [R, E]
}

/** [R, E] → [R, E] */
export const groupedAttention = (
  ops: Ops,
  layer: Attention,
  grid: GroupedGrid,
  input: Tensor,
): GroupedTrace => {
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
export const groupedAttentionBackward = (
  ops: Ops,
  layer: Attention,
  grid: GroupedGrid,
  { input, groups, merged }: GroupedTrace,
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
