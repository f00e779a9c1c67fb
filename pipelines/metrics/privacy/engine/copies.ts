import { phase, type Steps } from '../../../kernel/steps.ts';
import { patientCount } from '../../../patients/visit-columns.ts';
import {
  bootstrapIntervals,
  certainShareInterval,
  type Interval,
  quantile,
} from '../../statistics/bootstrap.ts';
import { keysFor, never } from '../../statistics/distance-rows.ts';
import { type KeySets, keySize } from '../../statistics/key-sets.ts';
import { type Measure, measured, missing } from '../../statistics/measure.ts';
import { nearestFew } from '../../statistics/nearest.ts';
import { type PrivacyCohorts, tooFewPatients, withCodes } from '../../statistics/samples.ts';

export interface CopyOptions {
  seed: number;
  replicates: number;
  /** A near copy differs from a training patient in at most this share of its own codes. */
  nearShare?: number;
  /** Which neighbor the distance ratio compares the nearest with. */
  neighbor?: number;
}

/** A rate among synthetic patients beside the same rate among test patients, who cannot be copies. */
export interface RatePair {
  synthetic: Measure;
  test: Measure;
  /** `synthetic − test`: what memorizing adds to chance. */
  excess: Measure;
}

/** Where the distances of a cohort to its nearest training patients lie; descriptive, not a test. */
export interface Spread {
  /** Fifth percentile and median. */
  low: Measure;
  median: Measure;
}

interface CopyResult {
  /** Same codes in the same visits as some training patient; labels are not compared. */
  exact: RatePair;
  /** Exact or near copies. */
  near: RatePair;
  /** Distance to the nearest training patient. */
  distance: { synthetic: Spread; test: Spread };
  /** Nearest distance over that of the k-th nearest; near 0 where one training patient stands out. */
  ratio: { synthetic: Spread; test: Spread };
}

const share = (flags: Uint8Array, counts?: Int32Array): number => {
  let sum = 0;
  for (let p = 0; p < flags.length; p++) sum += (flags[p] as number) * (counts ? (counts[p] as number) : 1);
  return sum / flags.length;
};

/**
 * Of a difference of two shares: from the ends of theirs, which is wider than need be and never too narrow.
 */
const differenceInterval = (a: Interval | undefined, b: Interval | undefined): Interval | undefined =>
  a && b && [a[0] - b[1], a[1] - b[0]];

function ratePair(synthetic: Uint8Array, test: Uint8Array, options: CopyOptions): RatePair {
  const rates = (counts?: readonly Int32Array[]) => {
    const [a, b] = [share(synthetic, counts?.[0]), share(test, counts?.[1])];
    return [a, b, a - b] as const;
  };
  const sizes = [synthetic.length, test.length] as const;
  const [inSynthetic, inTest, between] = bootstrapIntervals({ ...options, sizes, statistics: rates });
  const [ours, theirs, excess] = rates();
  const certain = options.replicates > 0 ? certainShareInterval : () => undefined;
  const [sure, sureTest] = [certain(ours, sizes[0]), certain(theirs, sizes[1])];
  const [ourInterval, theirInterval] = [sure ?? inSynthetic, sureTest ?? inTest];
  return {
    synthetic: measured(ours, sizes[0], ourInterval),
    test: measured(theirs, sizes[1], theirInterval),
    excess: measured(
      excess,
      sizes[0],
      sure || sureTest ? differenceInterval(ourInterval, theirInterval) : between,
    ),
  };
}

/** Percentiles of the values that are numbers; the rest is counted out in the note. */
function spread(values: Float64Array, note: string, options: CopyOptions): Spread {
  const ascending = values.filter((value) => !Number.isNaN(value)).sort();
  const n = ascending.length;
  if (n === 0) return { low: missing(note), median: missing(note) };
  const places = [0.05, 0.5];
  const resampled = new Float64Array(n);
  const intervals = bootstrapIntervals({
    ...options,
    sizes: [n],
    statistics: ([counts]) => {
      let at = 0;
      for (let p = 0; p < n; p++)
        for (let times = counts?.[p] as number; times > 0; times--) resampled[at++] = ascending[p] as number;
      return places.map((place) => quantile(resampled, place));
    },
  });
  const [low, median] = places.map((place, i) => ({
    ...measured(quantile(ascending, place), n, intervals[i]),
    note: n < values.length ? `some are left out: ${note}` : undefined,
  })) as [Measure, Measure];
  return { low, median };
}

/** Verdicts and distances of one cohort, from its k smallest distances to the training patients. */
function look(set: KeySets, few: Int32Array, k: number, nearShare: number) {
  const first = Float64Array.from({ length: set.count }, (_, p) => few[p * k] as number);
  const last = Float64Array.from({ length: set.count }, (_, p) => few[p * k + k - 1] as number);
  return {
    exact: Uint8Array.from(first, (distance) => (distance === 0 ? 1 : 0)),
    near: Uint8Array.from(first, (distance, p) => (distance <= nearShare * keySize(set, p) ? 1 : 0)),
    distance: first,
    ratio: last.map((value, p) => (value === 0 || value >= never ? NaN : (first[p] as number) / value)),
  };
}

/**
 * Exact- and near-copy rates against those of the test patients, and distances to the nearest training
 * patients. Patients without a code are left out.
 */
export function* copies(cohorts: PrivacyCohorts, options: CopyOptions): Steps<CopyResult> {
  const train = withCodes(cohorts.train);
  const test = withCodes(cohorts.test);
  const synthetic = withCodes(cohorts.synthetic);
  const note = tooFewPatients({ train, test, synthetic });
  if (note) {
    const none = missing(note);
    const pair = { synthetic: none, test: none, excess: none };
    const spreads = { synthetic: { low: none, median: none }, test: { low: none, median: none } };
    return { exact: pair, near: pair, distance: spreads, ratio: spreads };
  }
  const k = options.neighbor ?? 2;
  const shared = keysFor([train, test, synthetic], 'codes');
  const search = (query: number) => nearestFew({ shared, query, reference: 0, distance: 'codes' }, k);
  const seen = (query: number, { distance }: { distance: Int32Array }) =>
    look(shared.sets[query] as KeySets, distance, k, options.nearShare ?? 0.2);
  const fake = seen(2, yield* phase('synthetic to train', 0, 2, search(2)));
  const real = seen(1, yield* phase('test to train', 1, 2, search(1)));
  const why =
    patientCount(train) < k
      ? `the train cohort has fewer than ${k} patients`
      : `the ${k} nearest training patients are all exact copies`;
  return {
    exact: ratePair(fake.exact, real.exact, options),
    near: ratePair(fake.near, real.near, options),
    distance: {
      synthetic: spread(fake.distance, '', options),
      test: spread(real.distance, '', options),
    },
    ratio: { synthetic: spread(fake.ratio, why, options), test: spread(real.ratio, why, options) },
  };
}
