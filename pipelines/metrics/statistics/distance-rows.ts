import type { Steps } from '../../kernel/steps.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import { type KeySets, keySize, prefixSize, type SharedKeys, shareKeys } from './key-sets.ts';

/**
 * How far apart two patients are; all are whole numbers, and visits are compared position by position.
 * `hamming`: codes and labels in one but not the other, plus 1 for unequal visit counts; symmetric.
 * `codes`: the same without labels, which is PyHealth's.
 * `halo`: the HALO scripts' `find_hamming`: codes of visits that only the *reference* has cost nothing, so
 * long reference records look near to every patient and d(a, b) ≠ d(b, a). For agreement with the paper only.
 */
export const distances = ['hamming', 'codes', 'halo'] as const;
export type Distance = (typeof distances)[number];

/**
 * What differing costs by key, where keys do not all cost the same: whole numbers, so that sums do not depend
 * on their order. `[keyCount]` each.
 */
export interface KeyCosts {
  /** Of a key that only the query has. */
  ofQuery: Int32Array;
  /** Of a key that only the reference has. */
  ofReference: Int32Array;
  /** What is taken off again for a key that both have, beside both costs above; negative adds to them. */
  shared: Int32Array;
  /** Of unequal visit counts. */
  visits: number;
}

export interface DistanceTask {
  shared: SharedKeys;
  /** Absent: every key that differs costs 1, and unequal visit counts 1 more. Not with `halo`. */
  costs?: KeyCosts;
  /** Index into `shared.sets` of those who look, and of those among whom they look. */
  query: number;
  reference: number;
  distance: Distance;
  /** Queries `from … to - 1`: a shard. By default all of them. */
  from?: number;
  to?: number;
  /** Patient i never meets patient i: for a search of a cohort in itself. */
  skipSelf?: boolean;
  /** References per block. Speed only; no result depends on it. */
  blockPatients?: number;
}

/**
 * Called for every query and block: reference `first + j` is at distance `offset + row[j]`, j < width.
 * Blocks come in ascending order for each query. `row` is reused: copy what must stay.
 */
export type RowVisitor = (
  query: number,
  row: Int32Array,
  width: number,
  first: number,
  offset: number,
) => void;

/** Stands for "no distance" in a row: a patient that must not be met. Above any real distance. */
export const never = 1 << 29;

/** Pairs between two safe points: about a tenth of a second. */
const pairsPerStep = 2 ** 25;

/** Keys that the given distance works on. Share them once and use them for several searches. */
export const keysFor = (cohorts: readonly VisitColumns[], distance: Distance): SharedKeys =>
  shareKeys(cohorts, distance !== 'codes');

/** Patients of a block by key: those who have key k are `patients[starts[k] … starts[k + 1] - 1]`. */
class BlockIndex {
  readonly starts: Int32Array;
  patients = new Int32Array(0);

  constructor(keyCount: number) {
    this.starts = new Int32Array(keyCount + 2);
  }

  fill(set: KeySets, first: number, end: number): void {
    const { starts } = this;
    const keys = set.keys.subarray(set.offsets[first], set.offsets[end]);
    if (this.patients.length < keys.length) this.patients = new Int32Array(keys.length);
    starts.fill(0);
    // Shifted by two, so that filling moves every start to where it belongs.
    for (const key of keys) starts[key + 2] = (starts[key + 2] as number) + 1;
    for (let k = 2; k < starts.length; k++) starts[k] = (starts[k] as number) + (starts[k - 1] as number);
    for (let p = first; p < end; p++)
      for (let at = set.offsets[p] as number; at < (set.offsets[p + 1] as number); at++) {
        const slot = (set.keys[at] as number) + 1;
        this.patients[starts[slot] as number] = p - first;
        starts[slot] = (starts[slot] as number) + 1;
      }
  }
}

const costOf = (set: KeySets, patient: number, costs: Int32Array): number => {
  let sum = 0;
  const end = set.offsets[patient + 1] as number;
  for (let at = set.offsets[patient] as number; at < end; at++)
    sum += costs[set.keys[at] as number] as number;
  return sum;
};

/** What a row holds before any key is shared: size of each reference, plus 1 where visit counts differ. */
function emptyRow(set: KeySets, first: number, end: number, visits: number, task: DistanceTask): Int32Array {
  const { costs, distance } = task;
  const row = new Int32Array(end - first);
  for (let p = first; p < end; p++) {
    const whole = costs ? costOf(set, p, costs.ofReference) : keySize(set, p);
    const size = distance === 'halo' ? prefixSize(set, p, visits) : whole;
    row[p - first] = size + (set.visits[p] === visits ? 0 : (costs?.visits ?? 1));
  }
  return row;
}

/**
 * Subtracts what sharing takes off from the row for every key that query and reference share. The hot loop:
 * one step a shared key.
 */
function subtractShared(
  row: Int32Array,
  keys: Int32Array,
  from: number,
  to: number,
  index: BlockIndex,
  costs: KeyCosts | undefined,
): void {
  const { starts, patients } = index;
  for (let at = from; at < to; at++) {
    const key = keys[at] as number;
    const end = starts[key + 1] as number;
    const off = costs
      ? (costs.ofQuery[key] as number) + (costs.ofReference[key] as number) + (costs.shared[key] as number)
      : 2;
    for (let i = starts[key] as number; i < end; i++) {
      const patient = patients[i] as number;
      row[patient] = (row[patient] as number) - off;
    }
  }
}

/**
 * Distances of every query to every reference, row by row, by inverted index: a pair costs as many steps as
 * it shares keys (about one on ICD codes), never the vocabulary. Memory: the index of one block and one row.
 */
export function* distanceRows(task: DistanceTask, visit: RowVisitor): Steps<void> {
  const query = task.shared.sets[task.query] as KeySets;
  const reference = task.shared.sets[task.reference] as KeySets;
  const from = task.from ?? 0;
  const to = task.to ?? query.count;
  const blockPatients = Math.max(1, task.blockPatients ?? 2048);
  const blocks = Math.ceil(reference.count / blockPatients);
  const perStep = Math.max(1, Math.floor(pairsPerStep / Math.min(blockPatients, reference.count || 1)));
  const stepsPerBlock = Math.ceil((to - from) / perStep);
  const index = new BlockIndex(task.shared.keyCount);
  const { costs } = task;
  for (let block = 0; block < blocks; block++) {
    const first = block * blockPatients;
    const end = Math.min(reference.count, first + blockPatients);
    index.fill(reference, first, end);
    const row = new Int32Array(end - first);
    const emptyRows = new Map<number, Int32Array>();
    for (let step = 0; step < stepsPerBlock; step++) {
      const last = Math.min(to, from + (step + 1) * perStep);
      for (let q = from + step * perStep; q < last; q++) {
        const visits = query.visits[q] as number;
        if (!emptyRows.has(visits)) emptyRows.set(visits, emptyRow(reference, first, end, visits, task));
        row.set(emptyRows.get(visits) ?? []);
        const [start, stop] = [query.offsets[q] as number, query.offsets[q + 1] as number];
        subtractShared(row, query.keys, start, stop, index, costs);
        if (task.skipSelf && q >= first && q < end) row[q - first] = never;
        visit(q, row, end - first, first, costs ? costOf(query, q, costs.ofQuery) : keySize(query, q));
      }
      yield { step: block * stepsPerBlock + step + 1, of: blocks * stepsPerBlock };
    }
  }
}
