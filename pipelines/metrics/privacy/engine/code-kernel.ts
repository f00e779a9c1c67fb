import { phase, type Steps } from '../../../kernel/steps.ts';
import { type DistanceTask, distanceRows, type KeyCosts, never } from '../../statistics/distance-rows.ts';
import type { KeySets, SharedKeys } from '../../statistics/key-sets.ts';

/** Costs are whole numbers, so that no sum depends on its order: so many to a nat. */
const perNat = 64;

/** What lies farther than the nearest by more nats adds nothing that a sum would show. */
const reach = 36;

/** From a kernel that sees near copies only to one that sees half of what is common to all. */
const blurs = [0.1, 0.3, 0.5, 0.7];

/** The kernel of one blur. */
interface Part {
  /** −ln K(x | y) in 1 / `perNat` nats, x the query and y the reference, without `logEmpty`. */
  costs: KeyCosts;
  /** ln K of an empty record given an empty one. */
  logEmpty: number;
}

/**
 * A kernel K(x | y) on records: x is y, each key of which was kept with probability 1 − blur or else drawn
 * anew from the share of patients who have that key. So a rare code in common counts more than a common one.
 * It is that of Aitchison and Aitken for binary vectors (Biometrika 63, 1976) with marginals in the place of
 * the uniform distribution. The blur is unknown, so the kernel is the mean over several.
 */
export type CodeKernel = readonly Part[];

/** Share of the patients of a set who have each key, with half a patient added to both sides. */
const keyShares = ({ sets, keyCount }: SharedKeys, of: number): Float64Array => {
  const { keys, count } = sets[of] as KeySets;
  const patients = new Float64Array(keyCount).fill(0.5);
  for (const key of keys) patients[key] = (patients[key] as number) + 1;
  return patients.map((some) => some / (count + 1));
};

const partOf = (shares: Float64Array, blur: number): Part => {
  const whole = (nats: number) => Math.round(perNat * nats);
  const ofQuery = new Int32Array(shares.length);
  const ofReference = new Int32Array(shares.length);
  const shared = new Int32Array(shares.length);
  let logEmpty = 0;
  for (const [key, share] of shares.entries()) {
    const absent = Math.log1p(-blur * share);
    logEmpty += absent;
    ofQuery[key] = whole(absent - Math.log(blur * share));
    ofReference[key] = whole(absent - Math.log(blur * (1 - share)));
    shared[key] = whole(Math.log1p(-blur * (1 - share)) - absent);
  }
  // The number of visits is kept like a key that half of all have.
  return { costs: { ofQuery, ofReference, shared, visits: whole(Math.log((2 - blur) / blur)) }, logEmpty };
};

/** The kernel whose marginals are those of the patients of one set. */
export const codeKernel = (shared: SharedKeys, of: number): CodeKernel => {
  const shares = keyShares(shared, of);
  return blurs.map((blur) => partOf(shares, blur));
};

/** ln of the mean of numbers that are given as logarithms; −∞ where all are. */
const logMean = (logs: readonly number[]): number => {
  const most = Math.max(...logs);
  if (most === Number.NEGATIVE_INFINITY) return most;
  return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0) / logs.length);
};

type KernelTask = Pick<DistanceTask, 'shared' | 'query' | 'reference' | 'skipSelf'>;

/** Farther than any distance, also than a patient that must not be met. */
const beyond = 2 * never;

/** ln Σ K(x | y) over the references y of each query x, for one blur. */
function* logSumsOf(task: KernelTask, { costs, logEmpty }: Part): Steps<Float64Array> {
  const count = (task.shared.sets[task.query] as KeySets).count;
  const weights = Float64Array.from({ length: reach * perNat }, (_, d) => Math.exp(-d / perNat));
  // Summed relative to the nearest so far, so that nothing underflows; in patient order, whatever the blocks.
  const closest = new Int32Array(count).fill(beyond);
  const sums = new Float64Array(count);
  yield* distanceRows({ ...task, costs, distance: 'hamming' }, (query, row, width, _first, offset) => {
    let [least, sum] = [closest[query] as number, sums[query] as number];
    for (let j = 0; j < width; j++) {
      const farther = offset + (row[j] as number) - least;
      if (farther >= reach * perNat) continue;
      if (farther >= 0) sum += weights[farther] as number;
      else {
        sum = 1 + (-farther < reach * perNat ? sum * (weights[-farther] as number) : 0);
        least += farther;
      }
    }
    closest[query] = least;
    sums[query] = sum;
  });
  return sums.map((sum, q) =>
    (closest[q] as number) >= never
      ? Number.NEGATIVE_INFINITY
      : logEmpty + Math.log(sum) - (closest[q] as number) / perNat,
  );
}

/**
 * ln Σ K(x | y) over the references y of each query x; −∞ where there is none. With `skipSelf` patient i is
 * no reference of patient i. Memory: one number per query and blur; pairs are never kept.
 */
export function* logKernelSums(task: KernelTask, kernel: CodeKernel): Steps<Float64Array> {
  const parts: Float64Array[] = [];
  for (const [i, part] of kernel.entries())
    parts.push(yield* phase('density', i, kernel.length, logSumsOf(task, part)));
  const [first = new Float64Array(0)] = parts;
  return first.map((_, query) => logMean(parts.map((sums) => sums[query] as number)));
}

/** ln K(x | y) of a reference y and some queries x, from the same whole numbers as `logKernelSums`. */
export const pairKernel = (
  { shared, query, reference }: Omit<KernelTask, 'skipSelf'>,
  kernel: CodeKernel,
) => {
  const [queries, references] = [shared.sets[query] as KeySets, shared.sets[reference] as KeySets];
  const isOfReference = new Uint8Array(shared.keyCount);
  const keysOf = ({ keys, offsets }: KeySets, patient: number) =>
    keys.subarray(offsets[patient], offsets[patient + 1]);
  const between = ({ costs, logEmpty }: Part, x: number, y: number): number => {
    let cost = queries.visits[x] === references.visits[y] ? 0 : costs.visits;
    for (const key of keysOf(references, y)) cost += costs.ofReference[key] as number;
    for (const key of keysOf(queries, x))
      cost += isOfReference[key]
        ? -((costs.shared[key] as number) + (costs.ofReference[key] as number))
        : (costs.ofQuery[key] as number);
    return logEmpty - cost / perNat;
  };
  return (y: number, xs: Iterable<number>): number[] => {
    for (const key of keysOf(references, y)) isOfReference[key] = 1;
    const logs = Array.from(xs, (x) => logMean(kernel.map((part) => between(part, x, y))));
    for (const key of keysOf(references, y)) isOfReference[key] = 0;
    return logs;
  };
};
