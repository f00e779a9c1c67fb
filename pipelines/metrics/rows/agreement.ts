import { RandomSource } from '../../kernel/random.ts';
import type { Steps } from '../../kernel/steps.ts';
import { patientCount, type VisitColumns } from '../../patients/visit-columns.ts';
import type { MetricInput, PartialRow } from '../metric.ts';
import { centeredIntervals, type Interval, type Resample } from '../statistics/bootstrap.ts';
import {
  type CountPairs,
  joined,
  pairsPearson,
  pairsR2,
  pairsSpearman,
} from '../statistics/count-agreement.ts';
import { normalQuantile } from '../statistics/normal.ts';
import type { OccurrenceCounts } from '../statistics/occurrence-counts.ts';
import { entriesIn, type KeyLayout, layOutKeys, patientEntries } from '../statistics/patient-entries.ts';
import type { Keys } from '../statistics/postings.ts';
import { lanes, tallyResamples, type WeightedSide } from '../statistics/tally-resamples.ts';
import { influenceOf, influenceVariance } from './agreement-influence.ts';
import { agreementRows, type Divisor, type Statistic, tallied, type View } from './agreement-rows.ts';

export type Compared = Pick<MetricInput, 'train' | 'synthetic' | 'seed' | 'replicates'>;

/** Some of the keys, by default all of them, and the frequencies that are compared over them. */
export interface Part {
  members?: Int32Array;
  views: readonly View[];
}

/**
 * Entries (patient, key) of both sides that resamples are counted from. Above it a random part of the
 * patients stands for all, drawn from as often as there are patients: the bag of little bootstraps with one
 * bag (Kleiner, Talwalkar, Sarkar, Jordan 2014).
 */
const entriesBudget = 2 ** 24;

/** Where the random numbers of the bags are: no replicate has that number. */
const bagIndex = 2 ** 32 - 1;

const ranges: Record<Statistic, [number, number]> = {
  r2: [Number.NEGATIVE_INFINITY, 1],
  pearson: [-1, 1],
  spearman: [-1, 1],
};

/** What the entries of both sides are laid out by. */
interface Table {
  keys: Keys;
  counts: OccurrenceCounts;
  layout: KeyLayout;
  share: number;
  source: RandomSource;
}

/** One side, ready to be counted with other weights. */
class ResampledSide implements WeightedSide {
  /** Patients that stand for all, ascending. */
  readonly bag: Int32Array;
  readonly size: number;
  readonly weights: Uint16Array;
  readonly entries;

  constructor(columns: VisitColumns, side: 'real' | 'synthetic', table: Table) {
    const { keys, counts, layout, share, source } = table;
    this.size = patientCount(columns);
    const order = source.permutation(this.size, side === 'real' ? bagIndex : bagIndex - 1);
    this.bag = order.slice(0, Math.ceil(share * this.size)).sort();
    this.weights = new Uint16Array(this.size * lanes);
    const kept = new Uint8Array(this.size);
    for (const patient of this.bag) kept[patient] = 1;
    this.entries = patientEntries(columns, counts, keys, layout, side, kept);
  }

  /** Each patient of the bag as often as drawn. */
  weigh(drawn: Int32Array, lane: number): void {
    for (let i = 0; i < drawn.length; i++)
      this.weights[(this.bag[i] as number) * lanes + lane] = drawn[i] as number;
  }

  /** A divisor of the resample. */
  total({ units }: Divisor, lane: number): number {
    let sum = 0;
    for (let p = 0; p < units.length; p++)
      sum += (units[p] as number) * (this.weights[p * lanes + lane] as number);
    return sum;
  }
}

/** Both sides, and what to compute of every resample. */
class Resampler {
  readonly real: ResampledSide;
  readonly synthetic: ResampledSide;
  readonly #layout: KeyLayout;
  readonly #parts: readonly Part[];

  constructor({ train, synthetic }: Compared, parts: readonly Part[], table: Table) {
    this.real = new ResampledSide(train, 'real', table);
    this.synthetic = new ResampledSide(synthetic, 'synthetic', table);
    this.#layout = table.layout;
    this.#parts = parts;
  }

  /** All statistics of each resample, in the order of the rows. */
  statistics(resamples: readonly Resample[]): (number | null)[][] {
    for (const [lane, [real, synthetic]] of resamples.entries()) {
      this.real.weigh(real as Int32Array, lane);
      this.synthetic.weigh(synthetic as Int32Array, lane);
    }
    const found = tallyResamples(this.#layout.groups, this.real, this.synthetic);
    return resamples.map((_, lane) =>
      this.#parts.flatMap(({ views }, part) => {
        const own = (found[lane] ?? []).filter(({ parts }) => (parts >>> part) & 1);
        const pairs = {
          patients: joined(own.map(({ patients }) => patients)),
          occurrences: joined(own.map(({ occurrences }) => occurrences)),
        };
        return views.flatMap((view) => this.#values(view, pairs[view.counts], lane));
      }),
    );
  }

  #values({ real, synthetic, statistics }: View, pairs: CountPairs, lane: number): (number | null)[] {
    return statistics.map((name) => {
      if (name === 'pearson') return pairsPearson(pairs);
      if (name === 'spearman') return pairsSpearman(pairs);
      return pairsR2(pairs, this.real.total(real, lane), this.synthetic.total(synthetic, lane));
    });
  }
}

/** A bit per part for every key. */
const partsOf = (keys: number, parts: readonly Part[]): Uint32Array => {
  const bits = new Uint32Array(keys);
  for (const [part, { members }] of parts.entries()) {
    const bit = 1 << part;
    if (members)
      for (let i = 0; i < members.length; i++)
        bits[members[i] as number] = (bits[members[i] as number] as number) | bit;
    else for (let key = 0; key < keys; key++) bits[key] = (bits[key] as number) | bit;
  }
  return bits;
};

/**
 * R², Pearson and Spearman of each part and view, with intervals over patients of both cohorts: R² and
 * Pearson by the infinitesimal jackknife, ranks by resampled patients. Resamples add noise of their own to
 * that between two cohorts, which makes R² of like cohorts up to 1.8 times as uncertain as it is; they remain
 * where there are too many entries to keep. Keys stay those that either cohort has, also where a resample has
 * none of them.
 */
export function* agreement(
  keys: Keys,
  cohorts: Compared,
  counts: OccurrenceCounts,
  parts: readonly Part[],
  budget = entriesBudget,
): Steps<PartialRow[]> {
  const { train, synthetic, seed, replicates } = cohorts;
  const rows: PartialRow[] = [];
  for (const [step, { members, views }] of parts.entries()) {
    yield { step, of: parts.length };
    rows.push(...agreementRows(tallied(counts, members), views));
  }
  const sizes = { real: patientCount(train), synthetic: patientCount(synthetic) };
  if (replicates === 0 || Math.min(sizes.real, sizes.synthetic) < 2) return rows;
  const entries = entriesIn(counts.real) + entriesIn(counts.synthetic);
  const share = Math.min(1, budget / Math.max(1, entries));
  const layout = layOutKeys(counts, partsOf(counts.first.length, parts), sizes);
  const source = new RandomSource(seed, 'bootstrap');
  const resampler = new Resampler(cohorts, parts, { keys, counts, layout, share, source });
  const names = parts.flatMap(({ views }) => views.flatMap(({ statistics }) => statistics));
  const intervals = yield* centeredIntervals(
    {
      sizes: [resampler.real.bag.length, resampler.synthetic.bag.length],
      drawn: [sizes.real, sizes.synthetic],
      seed,
      replicates,
      together: lanes,
      statistics: (resamples) => resampler.statistics(resamples),
    },
    rows.map(({ value }, i) => ({ value, range: ranges[names[i] as Statistic] })),
  );
  const byInfluence = share < 1 ? [] : influenceIntervals(parts, rows, { counts, layout }, resampler);
  return rows.map((row, i) => {
    const interval = intervals[i] && (byInfluence[i] ?? intervals[i]);
    return interval ? { ...row, interval } : row;
  });
}

/** 95 % of each row from the influence of the patients; undefined where that is not defined. */
const influenceIntervals = (
  parts: readonly Part[],
  rows: readonly PartialRow[],
  table: Pick<Table, 'counts' | 'layout'>,
  { real, synthetic }: Resampler,
): (Interval | undefined)[] => {
  const entries = { real: real.entries, synthetic: synthetic.entries };
  const named = parts.flatMap(({ members, views }, part) =>
    views.flatMap((view) => view.statistics.map((statistic) => ({ members, part, view, statistic }))),
  );
  return named.map(({ statistic, view, ...keys }, i) => {
    const value = rows[i]?.value ?? null;
    if (value === null) return undefined;
    const influence = influenceOf(statistic, view, { ...table, ...keys }, entries);
    if (!influence) return undefined;
    const half = normalQuantile(0.975) * Math.sqrt(influenceVariance(influence));
    const [least, greatest] = ranges[statistic];
    return [Math.max(least, value - half), Math.min(greatest, value + half)];
  });
};
