/**
 * Pairs of counts, and how many keys have each: nearly all keys are rare, so few pairs stand for millions.
 */
export interface CountPairs {
  keys: number;
  x: Float64Array;
  y: Float64Array;
  times: Float64Array;
}

/** Counts below this are tallied in a table; keys with a greater one stand for themselves. */
const side = 64;

/** Gathers keys by their two counts. */
export class CountTally {
  readonly #table = new Uint32Array(side * side);
  readonly #great = { x: [] as number[], y: [] as number[], times: [] as number[] };

  /** `times` keys have the counts `x` and `y`. */
  add(x: number, y: number, times = 1): void {
    if (x < side && y < side) {
      const cell = x * side + y;
      this.#table[cell] = (this.#table[cell] as number) + times;
      return;
    }
    if (times === 0) return;
    this.#great.x.push(x);
    this.#great.y.push(y);
    this.#great.times.push(times);
  }

  /** What was gathered, and begins anew. */
  take(): CountPairs {
    const cells: number[] = [];
    for (let cell = 0; cell < this.#table.length; cell++) if (this.#table[cell] !== 0) cells.push(cell);
    const { x: greatX, y: greatY, times: greatTimes } = this.#great;
    const x = Float64Array.from([...cells.map((cell) => Math.floor(cell / side)), ...greatX]);
    const y = Float64Array.from([...cells.map((cell) => cell % side), ...greatY]);
    const times = Float64Array.from([...cells.map((cell) => this.#table[cell] as number), ...greatTimes]);
    this.#table.fill(0);
    for (const column of [greatX, greatY, greatTimes]) column.length = 0;
    return { keys: times.reduce((sum, count) => sum + count, 0), x, y, times };
  }
}

/** Tallies the keys at `members`, or all keys, by their two counts. */
export const countPairs = (x: Uint32Array, y: Uint32Array, members?: Int32Array): CountPairs => {
  const tally = new CountTally();
  if (members)
    for (let i = 0; i < members.length; i++) {
      const key = members[i] as number;
      tally.add(x[key] as number, y[key] as number);
    }
  else for (let key = 0; key < x.length; key++) tally.add(x[key] as number, y[key] as number);
  return tally.take();
};

/** The tallies of several sets of keys as one. */
export const joined = (parts: readonly CountPairs[]): CountPairs => {
  const size = parts.reduce((sum, { x }) => sum + x.length, 0);
  const all = { x: new Float64Array(size), y: new Float64Array(size), times: new Float64Array(size) };
  let at = 0;
  for (const { x, y, times } of parts) {
    all.x.set(x, at);
    all.y.set(y, at);
    all.times.set(times, at);
    at += x.length;
  }
  return { keys: parts.reduce((sum, { keys }) => sum + keys, 0), ...all };
};

/** Σ times·a·b, or Σ times·a. Of whole numbers below 2^53, so exact in any order of the keys. */
const sum = (times: Float64Array, a: Float64Array, b?: Float64Array): number => {
  let total = 0;
  for (let i = 0; i < times.length; i++)
    total += (times[i] as number) * (a[i] as number) * (b ? (b[i] as number) : 1);
  return total;
};

const whole = (times: Float64Array, a: Float64Array, b?: Float64Array): bigint => BigInt(sum(times, a, b));

/**
 * Σ (a − ā)(b − b̄) times the number of keys squared: a whole number, in which nothing is lost by
 * cancellation.
 */
const scatter = ({ keys, times }: CountPairs, a: Float64Array, b: Float64Array): bigint =>
  BigInt(keys) * whole(times, a, b) - whole(times, a) * whole(times, b);

/**
 * Coefficient of determination of the shares x / perX (observed) and y / perY (predicted): 1 − Σ(observed −
 * predicted)² / Σ(observed − mean)². Not a squared correlation: not symmetric, and below 0 when the mean
 * would predict better. Null when x is constant. Over whole numbers, so exact but for the last division.
 */
export const pairsR2 = (pairs: CountPairs, perX: number, perY: number): number | null => {
  const { keys, times, x, y } = pairs;
  const total = scatter(pairs, x, x);
  if (total === 0n || !(perX > 0 && perY > 0)) return null;
  const [a, b] = [BigInt(perX), BigInt(perY)];
  const residual = b * b * whole(times, x, x) - 2n * a * b * whole(times, x, y) + a * a * whole(times, y, y);
  return 1 - Number(BigInt(keys) * residual) / Number(b * b * total);
};

/** Linear correlation, which no scale changes; null when either side is constant. */
export const pairsPearson = (pairs: CountPairs): number | null => {
  const { x, y } = pairs;
  const [inX, inY] = [scatter(pairs, x, x), scatter(pairs, y, y)];
  if (inX === 0n || inY === 0n) return null;
  const found = Number(scatter(pairs, x, y)) / Math.sqrt(Number(inX) * Number(inY));
  return Math.max(-1, Math.min(1, found));
};

/** Twice how far the average rank of each count is from the mean rank: whole numbers, whose sum is 0. */
const rankDeviations = ({ keys, times }: CountPairs, counts: Float64Array): Float64Array => {
  const ranks = new Float64Array(counts.reduce((most, count) => Math.max(most, count), 0) + 1);
  for (let i = 0; i < counts.length; i++)
    ranks[counts[i] as number] = (ranks[counts[i] as number] as number) + (times[i] as number);
  let below = 0;
  for (let count = 0; count < ranks.length; count++) {
    const equal = ranks[count] as number;
    ranks[count] = 2 * below + equal - keys;
    below += equal;
  }
  return counts.map((count) => ranks[count] as number);
};

/** Rank correlation with ties averaged; null when either side is constant. */
export const pairsSpearman = (pairs: CountPairs): number | null => {
  const { times } = pairs;
  const [x, y] = [rankDeviations(pairs, pairs.x), rankDeviations(pairs, pairs.y)];
  const [inX, inY] = [sum(times, x, x), sum(times, y, y)];
  if (inX === 0 || inY === 0) return null;
  return Math.max(-1, Math.min(1, sum(times, x, y) / Math.sqrt(inX * inY)));
};
