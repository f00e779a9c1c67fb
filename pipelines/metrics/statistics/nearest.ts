import type { Steps } from '../../kernel/steps.ts';
import { type DistanceTask, distanceRows, never, type RowVisitor } from './distance-rows.ts';
import type { KeySets } from './key-sets.ts';

/** Nearest references of the queries `from … to - 1`, by position in that range. */
export interface Nearest {
  /** `never` where there is no other patient. */
  distance: Int32Array;
  /** The lowest index among the nearest; −1 where there is none. */
  index: Int32Array;
}

/**
 * Position, among the k neighbors of a patient that `nearestFew` gave, of the nearest who is kept (`kept` is
 * not 0 for him; absent: all are); −1 where none of them is.
 */
export const firstKept = (
  { index }: Pick<Nearest, 'index'>,
  k: number,
  patient: number,
  kept?: ArrayLike<number>,
): number => {
  for (let at = patient * k; at < (patient + 1) * k; at++) {
    const neighbor = index[at] as number;
    if (neighbor >= 0 && kept?.[neighbor] !== 0) return at;
  }
  return -1;
};

const rangeOf = (task: DistanceTask): number =>
  (task.to ?? (task.shared.sets[task.query] as KeySets).count) - (task.from ?? 0);

const noNeighbors = (count: number): Nearest => ({
  distance: new Int32Array(count).fill(never),
  index: new Int32Array(count).fill(-1),
});

function smallest(row: Int32Array, width: number): number {
  let least = never;
  for (let j = 0; j < width; j++) {
    const value = row[j] as number;
    if (value < least) least = value;
  }
  return least;
}

/** As `smallest`, but passes over distance 0, which is `-offset` in a row. */
function smallestAbove(row: Int32Array, width: number, floor: number): number {
  let least = never;
  for (let j = 0; j < width; j++) {
    const value = row[j] as number;
    if (value < least && value > floor) least = value;
  }
  return least;
}

/**
 * Nearest reference of each query. `copiesCount: false` passes over distance 0, as the published NNAA does:
 * an exact copy, the worst leak there is, then goes unseen.
 */
export function* nearest(task: DistanceTask, copiesCount = true): Steps<Nearest> {
  const from = task.from ?? 0;
  const found = noNeighbors(rangeOf(task));
  yield* distanceRows(task, (query, row, width, first, offset) => {
    const least = copiesCount ? smallest(row, width) : smallestAbove(row, width, -offset);
    const distance = offset + least;
    if (distance >= (found.distance[query - from] as number)) return;
    found.distance[query - from] = distance;
    found.index[query - from] = first + row.indexOf(least);
  });
  return found;
}

/**
 * The k nearest references of each query, ascending by distance, the first in the cohort of equals;
 * `[queries, k]` row-major. `never` and −1 where there are fewer. `copiesCount`
 * as for `nearest`.
 */
export function* nearestFew(task: DistanceTask, k: number, copiesCount = true): Steps<Nearest> {
  const from = task.from ?? 0;
  const found = noNeighbors(rangeOf(task) * k);
  const { distance: kept, index } = found;
  const visit: RowVisitor = (query, row, width, first, offset) => {
    const start = (query - from) * k;
    const last = start + k - 1;
    let worst = kept[last] as number;
    for (let j = 0; j < width; j++) {
      const distance = offset + (row[j] as number);
      if (distance >= worst || (!copiesCount && distance === 0)) continue;
      let at = last;
      for (; at > start && (kept[at - 1] as number) > distance; at--) {
        kept[at] = kept[at - 1] as number;
        index[at] = index[at - 1] as number;
      }
      kept[at] = distance;
      index[at] = first + j;
      worst = kept[last] as number;
    }
  };
  yield* distanceRows(task, visit);
  return found;
}
