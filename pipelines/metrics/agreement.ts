import { patientCount, type VisitColumns } from '../cohort/visit-columns.ts';
import type { Steps } from '../measure.ts';
import type { MetricInput, PartialRow } from '../metric.ts';
import { RandomSource } from '../random.ts';
import { centeredIntervals } from '../statistics/bootstrap.ts';
import {
  type CountPairs,
  countPairs,
  pairsPearson,
  pairsR2,
  pairsSpearman,
} from '../statistics/count-agreement.ts';
import type { Keys, OccurrenceCounts, SideCounts } from '../statistics/occurrence-counts.ts';
import { countWeighted, patientEntries, slotsOf } from '../statistics/patient-entries.ts';
import { agreementRows, type Divisor, type Statistic, type View } from './agreement-rows.ts';

export type Compared = Pick<MetricInput, 'train' | 'synthetic' | 'seed' | 'replicates'>;

/** Some of the keys, and the frequencies that are compared over them. */
export interface Part {
  members: Int32Array;
  views: readonly View[];
}

export const allKeys = ({ first }: OccurrenceCounts): Int32Array =>
  Int32Array.from({ length: first.length }, (_, key) => key);

/** The counts of some keys, in their order. */
const selectKeys = (counts: OccurrenceCounts, members: Int32Array): OccurrenceCounts => {
  if (members.length === counts.first.length) return counts;
  const gather = <T extends Int32Array | Uint32Array>(from: T, into: T): T => {
    for (let i = 0; i < into.length; i++) into[i] = from[members[i] as number] as number;
    return into;
  };
  const side = ({ occurrences, patients }: SideCounts) => ({
    occurrences: gather(occurrences, new Uint32Array(members.length)),
    patients: gather(patients, new Uint32Array(members.length)),
  });
  return {
    first: gather(counts.first, new Int32Array(members.length)),
    second: gather(counts.second, new Int32Array(members.length)),
    real: side(counts.real),
    synthetic: side(counts.synthetic),
  };
};

/**
 * Entries (patient, key) of both sides that resamples are counted from. Above it a random part of the patients
 * stands for all, drawn from as often as there are patients: the bag of little bootstraps with one bag (Kleiner,
 * Talwalkar, Sarkar, Jordan 2014).
 */
const entriesBudget = 2 ** 24;

/** Where the random numbers of the bags are: no replicate has that number. */
const bagIndex = 2 ** 32 - 1;

const ranges: Record<Statistic, [number, number]> = {
  r2: [Number.NEGATIVE_INFINITY, 1],
  pearson: [-1, 1],
  spearman: [-1, 1],
};

const entriesOf = ({ patients }: SideCounts): number => patients.reduce((sum, count) => sum + count, 0);

const weighted = ({ units }: Divisor, weights: Uint16Array): number => {
  let sum = 0;
  for (let p = 0; p < units.length; p++) sum += (units[p] as number) * (weights[p] as number);
  return sum;
};

/** What the entries of both sides are laid out by. */
interface Table {
  keys: Keys;
  counts: OccurrenceCounts;
  slots: Int32Array;
  share: number;
  source: RandomSource;
}

/** One side, ready to be counted with other weights. */
class ResampledSide {
  /** Patients that stand for all, ascending. */
  readonly bag: Int32Array;
  readonly size: number;
  readonly counts: SideCounts;
  readonly weights: Uint16Array;
  readonly #entries;

  constructor(columns: VisitColumns, { keys, counts, slots, share, source }: Table, index: number) {
    this.size = patientCount(columns);
    const order = source.permutation(this.size, bagIndex - index);
    this.bag = order.slice(0, Math.ceil(share * this.size)).sort();
    this.weights = new Uint16Array(this.size);
    const kept = new Uint8Array(this.size);
    for (const patient of this.bag) kept[patient] = 1;
    this.#entries = patientEntries(columns, counts, keys, slots, kept);
    const width = counts.first.length;
    this.counts = { patients: new Uint32Array(width), occurrences: new Uint32Array(width) };
  }

  /** Counts anew, each patient of the bag as often as drawn. */
  count(drawn: Int32Array): void {
    for (let i = 0; i < drawn.length; i++) this.weights[this.bag[i] as number] = drawn[i] as number;
    countWeighted(this.#entries, this.weights, this.counts);
  }
}

/** All statistics of one part, in the order of its rows. */
const partStatistics = (
  { members, views }: Part,
  real: ResampledSide,
  synthetic: ResampledSide,
): (number | null)[] => {
  const tallied: Partial<Record<View['counts'], CountPairs>> = {};
  return views.flatMap((view) => {
    const [x, y] = [real.counts[view.counts], synthetic.counts[view.counts]];
    const pairs = tallied[view.counts] ?? countPairs(x, y, members);
    tallied[view.counts] = pairs;
    return view.statistics.map((name) => {
      if (name === 'pearson') return pairsPearson(pairs);
      if (name === 'spearman') return pairsSpearman(pairs);
      return pairsR2(pairs, weighted(view.real, real.weights), weighted(view.synthetic, synthetic.weights));
    });
  });
};

/**
 * R², Pearson and Spearman of each part and view, with intervals from resampled patients of both cohorts. Keys
 * stay those that either cohort has, also where a resample has none of them.
 */
export function* agreement(
  keys: Keys,
  { train, synthetic, seed, replicates }: Compared,
  counts: OccurrenceCounts,
  parts: readonly Part[],
  budget = entriesBudget,
): Steps<PartialRow[]> {
  const rows: PartialRow[] = [];
  for (const [step, { members, views }] of parts.entries()) {
    yield { step, of: parts.length };
    rows.push(...agreementRows(selectKeys(counts, members), views));
  }
  if (replicates === 0 || Math.min(patientCount(train), patientCount(synthetic)) < 2) return rows;
  const entries = entriesOf(counts.real) + entriesOf(counts.synthetic);
  const share = Math.min(1, budget / Math.max(1, entries));
  const slots = slotsOf(counts);
  const table = { keys, counts, slots, share, source: new RandomSource(seed, 'bootstrap') };
  const [theirs, ours] = [new ResampledSide(train, table, 0), new ResampledSide(synthetic, table, 1)];
  const placed = parts.map((part) => ({
    ...part,
    members: part.members.map((key) => slots[key] as number).sort(),
  }));
  const names = parts.flatMap(({ views }) => views.flatMap(({ statistics }) => statistics));
  const intervals = yield* centeredIntervals(
    {
      sizes: [theirs.bag.length, ours.bag.length],
      drawn: [theirs.size, ours.size],
      seed,
      replicates,
      statistics: ([real, made]) => {
        theirs.count(real as Int32Array);
        ours.count(made as Int32Array);
        return placed.flatMap((part) => partStatistics(part, theirs, ours));
      },
    },
    rows.map(({ value }, i) => ({ value, range: ranges[names[i] as Statistic] })),
  );
  return rows.map((row, i) => {
    const interval = intervals[i];
    return interval ? { ...row, interval } : row;
  });
}
