/** Pairs of counts, and how many keys have each: nearly all keys are rare, so few pairs stand for millions. */
export interface CountPairs {
  keys: number;
  x: Float64Array;
  y: Float64Array;
  times: Float64Array;
}

/** Counts below this are tallied in a table; keys with a greater one stand for themselves. */
const side = 64;

/** Tallies the keys at `members` by their two counts. */
export const countPairs = (x: Uint32Array, y: Uint32Array, members: Int32Array): CountPairs => {
  const table = new Uint32Array(side * side);
  const great: number[] = [];
  for (let i = 0; i < members.length; i++) {
    const key = members[i] as number;
    const a = x[key] as number;
    const b = y[key] as number;
    if (a < side && b < side) table[a * side + b] = (table[a * side + b] as number) + 1;
    else great.push(key);
  }
  const cells: number[] = [];
  for (const [cell, times] of table.entries()) if (times > 0) cells.push(cell);
  return {
    keys: members.length,
    x: Float64Array.from([
      ...cells.map((cell) => Math.floor(cell / side)),
      ...great.map((key) => x[key] ?? 0),
    ]),
    y: Float64Array.from([...cells.map((cell) => cell % side), ...great.map((key) => y[key] ?? 0)]),
    times: Float64Array.from([...cells.map((cell) => table[cell] ?? 0), ...great.map(() => 1)]),
  };
};

/** Σ times·a·b, or Σ times·a. Of whole numbers below 2^53, so exact in any order of the keys. */
const sum = (times: Float64Array, a: Float64Array, b?: Float64Array): number => {
  let total = 0;
  for (let i = 0; i < times.length; i++)
    total += (times[i] as number) * (a[i] as number) * (b ? (b[i] as number) : 1);
  return total;
};

/** Σ (a − ā)(b − b̄), each times the number of keys. */
const scatter = ({ keys, times }: CountPairs, a: Float64Array, b: Float64Array): number =>
  sum(times, a, b) - (sum(times, a) * sum(times, b)) / keys;

/** R² of the shares x / perX and y / perY; null when x is constant. See `r2` in agreement.ts. */
export const pairsR2 = (pairs: CountPairs, perX: number, perY: number): number | null => {
  const { times, x, y } = pairs;
  const total = scatter(pairs, x, x);
  if (!(total > 0 && perX > 0 && perY > 0)) return null;
  const scale = perX / perY;
  return 1 - (sum(times, x, x) - 2 * scale * sum(times, x, y) + scale * scale * sum(times, y, y)) / total;
};

const correlation = (pairs: CountPairs, a: Float64Array, b: Float64Array): number | null => {
  const [inA, inB] = [scatter(pairs, a, a), scatter(pairs, b, b)];
  if (!(inA > 0 && inB > 0)) return null;
  return Math.max(-1, Math.min(1, scatter(pairs, a, b) / Math.sqrt(inA * inB)));
};

/** Linear correlation, which no scale changes; null when either side is constant. */
export const pairsPearson = (pairs: CountPairs): number | null => correlation(pairs, pairs.x, pairs.y);

/** How far the average rank of each count is from the mean rank. */
const rankDeviations = ({ keys, times }: CountPairs, counts: Float64Array): Float64Array => {
  const ranks = new Float64Array(counts.reduce((most, count) => Math.max(most, count), 0) + 1);
  for (let i = 0; i < counts.length; i++)
    ranks[counts[i] as number] = (ranks[counts[i] as number] as number) + (times[i] as number);
  let below = 0;
  for (let count = 0; count < ranks.length; count++) {
    const equal = ranks[count] as number;
    ranks[count] = below + (equal - keys) / 2;
    below += equal;
  }
  return counts.map((count) => ranks[count] as number);
};

/** Rank correlation with ties averaged; null when either side is constant. */
export const pairsSpearman = (pairs: CountPairs): number | null =>
  correlation(pairs, rankDeviations(pairs, pairs.x), rankDeviations(pairs, pairs.y));
