/**
 * Multi-head attention of rows to the rows of another sequence, both packed. Rows that read the same line of the
 * memory stand on one line of queries, whichever sequences they are of: nothing of the memory is repeated.
 * B lines of a group, Q queries and T keys each, H heads, D = E / H, R rows, M rows of the memory.
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

export interface CrossAttention {
  heads: number;
  query: Linear; // E → E
  remember: Linear; // E → 2E: keys, values
  output: Linear; // E → E
}

/** Which rows read which line of the memory; both sides have the same groups of lines. */
export interface CrossGrid {
  queries: GroupedCells;
  keys: GroupedCells;
  /** [B, 1, 1, T] for each group */
  masks: readonly Tensor[];
}

/** What a group of the memory's lines looks like to one layer. */
export interface Remembered {
  keys: Tensor; // [B, H, T, D]
  values: Tensor; // [B, H, T, D]
}

export interface CrossTrace {
  input: Tensor; // [R, E]
  groups: AttendTrace[];
  merged: Tensor; // [R, E]
  out: Tensor; // [R, E]
}

/** [M, E] → keys and values of one layer, group by group. */
export const remember = (
  ops: Ops,
  layer: CrossAttention,
  grid: GroupedCells,
  memory: Tensor,
): Remembered[] => {
  const cells = splitGroups(ops, grid, toCells(ops, grid, linear(ops, layer.remember, memory)));
  return grid.groups.map(({ lines }, group) => {
    const [keys, values] = splitHeads(ops, cells[group] as Tensor, lines.length, 2, layer.heads);
    return { keys: keys as Tensor, values: values as Tensor };
  });
};

/** [R, E] → [R, E] */
export const crossAttention = (
  ops: Ops,
  layer: CrossAttention,
  { queries: grid, masks }: Pick<CrossGrid, 'queries' | 'masks'>,
  remembered: readonly Remembered[],
  input: Tensor,
): CrossTrace => {
  const cells = splitGroups(ops, grid, toCells(ops, grid, linear(ops, layer.query, input)));
  const groups: AttendTrace[] = [];
  const seen = grid.groups.map(({ lines }, group) => {
    const [queries] = splitHeads(ops, cells[group] as Tensor, lines.length, 1, layer.heads);
    const three = { queries: queries as Tensor, ...(remembered[group] as Remembered) };
    const attended = attend(ops, three, masks[group] as Tensor);
    groups.push(attended.trace);
    return mergeHeads(ops, [attended.seen]);
  });
  const merged = toRows(ops, grid, joinGroups(ops, seen));
  return { input, groups, merged, out: linear(ops, layer.output, merged) };
};

/** dy [R, E] → gradients of the rows [R, E] and of the memory [M, E] */
export const crossAttentionBackward = (
  ops: Ops,
  layer: CrossAttention,
  grid: CrossGrid,
  { input, groups, merged }: CrossTrace,
  memory: Tensor,
  dy: Tensor,
  update: Update,
): { dInput: Tensor; dMemory: Tensor } => {
  const dMerged = linearBackward(ops, layer.output, merged, dy, update);
  const dCells = splitGroups(ops, grid.queries, toRowsBackward(ops, grid.queries, dMerged));
  const parts = grid.queries.groups.map(({ lines }, group) => {
    const [dSeen] = splitHeads(ops, dCells[group] as Tensor, lines.length, 1, layer.heads);
    const slopes = attendBackward(ops, groups[group] as AttendTrace, dSeen as Tensor);
    return {
      queries: mergeHeads(ops, [slopes.dQueries]),
      remembered: mergeHeads(ops, [slopes.dKeys, slopes.dValues]),
    };
  });
  const sum = (cells: GroupedCells, side: 'queries' | 'remembered') =>
    toCellsBackward(
      ops,
      cells,
      joinGroups(
        ops,
        parts.map((part) => part[side]),
      ),
    ); // [R, E], [M, 2E]
  return {
    dInput: linearBackward(ops, layer.query, input, sum(grid.queries, 'queries'), update),
    dMemory: linearBackward(ops, layer.remember, memory, sum(grid.keys, 'remembered'), update),
  };
};
