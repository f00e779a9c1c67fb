/**
 * Numbers as ranges, and back (HALO, "Generation of continuous variables": granular buckets, uniform samples
 * inside). Where the paper takes ranges from clinicians, ours are quantiles of the training split. All
 * arithmetic is in whole steps of the precision that a test is written down in, so that draws look like
 * measurements: a bucket of sodium from 138 to 140 gives 138 or 139.
 */

/** How many ranges there are, and how many patients each must hold. */
export interface BucketRules {
  /** Ranges per lab test or of the gaps, at most; about equally many training visits fall into each. */
  count: number;
  /** Training patients, and training visits, that every range holds. */
  leastPatients: number;
  leastVisits: number;
  /** Share of the numbers at either end that count as outliers; one at either end always does. */
  trim: number;
}

/** One number per visit, and whose it is. */
interface Measurements {
  values: ArrayLike<number>;
  patients: ArrayLike<number>;
}

/** A token is as precise as the numbers behind it, up to this. */
const mostDecimals = 3;
const onGridShare = 0.99;

/** Numbers come as Float32: 0.9 is 0.89999998. */
const slack = (steps: number): number => 1e-6 * (1 + Math.abs(steps));

/** A number as whole steps of 10^-decimals, cut below. */
const toSteps = (value: number, decimals: number): number => {
  const steps = value * 10 ** decimals;
  return Math.floor(steps + slack(steps));
};

/** Decimals that almost all of the numbers are written with. */
const decimalsOf = (values: readonly number[]): number => {
  for (let decimals = 0; decimals < mostDecimals; decimals++) {
    const isOnGrid = (value: number) => {
      const steps = value * 10 ** decimals;
      return Math.abs(steps - Math.round(steps)) <= slack(steps);
    };
    if (values.filter(isOnGrid).length >= onGridShare * values.length) return decimals;
  }
  return mostDecimals;
};

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** First place in ascending `steps` that is not below `edge`. */
const placeOf = (steps: readonly number[], edge: number): number => {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle] as number) < edge) low = middle + 1;
    else high = middle;
  }
  return low;
};

/**
 * Quantiles, and both sides of every number that is a bucket's worth by itself: what half the visits have
 * stays exact.
 */
const candidates = (steps: readonly number[], count: number): number[] => {
  const edges = new Set<number>();
  const n = steps.length;
  for (let i = 1; i < count; i++) {
    const edge = steps[Math.floor((i * n) / count)] as number;
    edges.add(edge);
    if (placeOf(steps, edge + 1) - placeOf(steps, edge) >= n / count) edges.add(edge + 1);
  }
  return [...edges].sort((a, b) => a - b);
};

/** The edges between buckets that hold enough, and the place among the numbers where each begins. */
const innerEdges = (
  steps: readonly number[],
  patients: readonly number[],
  { count, leastPatients, leastVisits }: BucketRules,
): { edge: number; place: number }[] => {
  const isEnough = (from: number, to: number) =>
    to - from >= Math.max(1, leastVisits) && new Set(patients.slice(from, to)).size >= leastPatients;
  const kept: { edge: number; place: number }[] = [];
  for (const edge of candidates(steps, count)) {
    const place = placeOf(steps, edge);
    if (isEnough(kept.at(-1)?.place ?? 0, place)) kept.push({ edge, place });
  }
  while (kept.length > 0 && !isEnough(kept.at(-1)?.place ?? 0, steps.length)) kept.pop();
  return kept;
};

const within = (value: number, least: number, greatest: number): number =>
  Math.min(greatest, Math.max(least, Math.round(value)));

/**
 * The two ends. They lie where the middle of the outer bucket is the mean of the numbers in it (outliers
 * moved to the next number that is none), and never beyond those: an end is a mean of many, not the number of
 * the one patient who has the highest. One bucket alone has the mean of all in its middle and at most their
 * spread.
 */
const outerEdges = (
  trimmed: readonly number[],
  inner: readonly { edge: number; place: number }[],
): [number, number] => {
  const [least, greatest] = [trimmed[0] as number, trimmed.at(-1) as number];
  const [first, last] = [inner[0], inner.at(-1)];
  if (!first || !last) {
    const middle = mean(trimmed);
    const spread = Math.sqrt(3 * mean(trimmed.map((value) => (value - middle) ** 2)));
    const half = Math.min(spread, middle - least, greatest - middle);
    const low = within(middle - half, least, greatest);
    return [low, within(middle + half, low, greatest) + 1];
  }
  const low = 2 * mean(trimmed.slice(0, first.place)) - first.edge + 1;
  const high = 2 * mean(trimmed.slice(last.place)) - last.edge + 1;
  return [
    within(low, Math.min(least, first.edge - 1), first.edge - 1),
    within(high, last.edge + 1, Math.max(greatest, last.edge) + 1),
  ];
};

/**
 * Consecutive ranges that together take every number: what is below the first belongs to it, and so above.
 */
export class Buckets {
  readonly decimals: number;
  /** Ascending, in steps; one more than there are buckets. */
  readonly #edges: readonly number[];
  readonly #inner: readonly number[];

  constructor(edges: readonly number[], decimals: number) {
    this.#edges = edges;
    this.#inner = edges.slice(1, -1);
    this.decimals = decimals;
  }

  get count(): number {
    return this.#edges.length - 1;
  }

  /** `low ≤ number < high` of one bucket, in the unit of the numbers. */
  range(bucket: number): { low: number; high: number } {
    const at = (i: number) => (this.#edges[i] as number) / 10 ** this.decimals;
    return { low: at(bucket), high: at(bucket + 1) };
  }

  /** The bucket that a number belongs to. */
  of(value: number): number {
    return placeOf(this.#inner, toSteps(value, this.decimals) + 1);
  }
}

/** Buckets for the numbers of one lab test, or for gaps; undefined where too few patients have any. */
export const fitBuckets = ({ values, patients }: Measurements, rules: BucketRules): Buckets | undefined => {
  const n = values.length;
  if (n < Math.max(3, rules.leastVisits) || new Set(Array.from(patients)).size < rules.leastPatients)
    return undefined;
  const decimals = decimalsOf(Array.from(values));
  const order = Array.from({ length: n }, (_, i) => i);
  order.sort((a, b) => (values[a] as number) - (values[b] as number) || a - b);
  const steps = order.map((i) => toSteps(values[i] as number, decimals));
  const owners = order.map((i) => patients[i] as number);
  const cut = Math.min((n - 1) >> 1, Math.max(1, Math.ceil(rules.trim * n)));
  const [least, greatest] = [steps[cut] as number, steps[n - 1 - cut] as number];
  const trimmed = steps.map((step) => within(step, least, greatest));
  const inner = innerEdges(steps, owners, rules);
  const [low, high] = outerEdges(trimmed, inner);
  return new Buckets([low, ...inner.map(({ edge }) => edge), high], decimals);
};
