import type { VisitColumns } from '../../patients/visit-columns.ts';
import type { PartialRow, Series } from '../metric.ts';
import {
  type CountPairs,
  countPairs,
  pairsPearson,
  pairsR2,
  pairsSpearman,
} from '../statistics/count-agreement.ts';
import type { OccurrenceCounts } from '../statistics/occurrence-counts.ts';
import type { Keys } from '../statistics/postings.ts';
import { rankSample } from '../statistics/rank-sample.ts';
import { referenceNote } from './measure-row.ts';

const statistics = {
  r2: {
    name: 'R²',
    compute: (pairs: CountPairs, { real, synthetic }: View) => pairsR2(pairs, real.total, synthetic.total),
    about:
      'share of the differences between real frequencies that the synthetic ones reproduce: 1 is exact, 0 is no better than giving every key the mean, below 0 is worse',
  },
  pearson: {
    name: 'Pearson correlation',
    compute: pairsPearson,
    about: 'how straight a line the frequencies fall on, whatever its slope: it forgives a constant bias',
  },
  spearman: {
    name: 'Spearman correlation',
    compute: pairsSpearman,
    about: 'how alike the order from frequent to rare is; rare keys weigh as much as frequent ones',
  },
};
export type Statistic = keyof typeof statistics;

/** What counts are divided by, as a sum over patients. */
export interface Divisor {
  total: number;
  units: Int32Array;
}

/** What one patient adds to a divisor, by how many visits there are. */
const unitsBy = {
  patient: () => 1,
  visit: (visits: number) => visits,
  adjacentVisits: (visits: number) => Math.max(0, visits - 1),
  /** What the reference subtracts, as if every patient had a visit. */
  visitsLessOne: (visits: number) => visits - 1,
  present: (visits: number) => Math.min(1, visits),
} as const;

/** The divisor of a cohort. */
export const divisor = ({ visitOffsets }: VisitColumns, units: keyof typeof unitsBy): Divisor => {
  const of = unitsBy[units];
  const each = new Int32Array(visitOffsets.length - 1);
  for (let p = 0; p < each.length; p++)
    each[p] = of((visitOffsets[p + 1] as number) - (visitOffsets[p] as number));
  return { total: each.reduce((sum, n) => sum + n, 0), units: each };
};

/** One way to turn counts into frequencies, and what is computed over them. */
export interface View {
  /** Prefix of the row names: `record`, `visit`, `reference-record`. */
  row: string;
  /** Title of what is compared: `code frequencies per patient`. */
  title: string;
  counts: 'patients' | 'occurrences';
  /** What each side's counts are divided by: the sum of `units` of its patients, which resampling weights. */
  real: Divisor;
  synthetic: Divisor;
  /** The things that are divided by, for the sentence when there are none: `patients`. */
  per: string;
  statistics: readonly Statistic[];
  note?: string;
}

const everyStatistic: readonly Statistic[] = ['r2', 'pearson', 'spearman'];

/** Shares of patients who have a key (`what`: code, pair) at all. */
export const recordView = (what: string, real: VisitColumns, synthetic: VisitColumns): View => ({
  row: 'record',
  title: `${what} frequencies per patient`,
  counts: 'patients',
  real: divisor(real, 'patient'),
  synthetic: divisor(synthetic, 'patient'),
  per: 'patients',
  statistics: everyStatistic,
});

/** Occurrences of a key per visit. */
export const visitView = (what: string, real: VisitColumns, synthetic: VisitColumns): View => ({
  row: 'visit',
  title: `${what} frequencies per visit`,
  counts: 'occurrences',
  real: divisor(real, 'visit'),
  synthetic: divisor(synthetic, 'visit'),
  per: 'visits',
  statistics: everyStatistic,
});

/** Occurrences of a sequential pair per pair of adjacent visits, of which there are fewer than visits. */
export const adjacentView = (what: string, real: VisitColumns, synthetic: VisitColumns): View => ({
  ...visitView(what, real, synthetic),
  title: `${what} frequencies per pair of adjacent visits`,
  real: divisor(real, 'adjacentVisits'),
  synthetic: divisor(synthetic, 'adjacentVisits'),
  per: 'patients with two visits',
});

/** `recordView` as in the HALO code: without the synthetic patients that have no visit. */
export const referenceRecordView = (what: string, real: VisitColumns, synthetic: VisitColumns): View => ({
  ...recordView(what, real, synthetic),
  row: 'reference-record',
  title: `${what} frequencies per patient, as published`,
  synthetic: divisor(synthetic, 'present'),
  per: 'patients with visits',
  statistics: ['r2'],
  note: referenceNote,
});

const whyMissing = (view: View, keys: number): string => {
  if (view.real.total <= 0) return `The real cohort has no ${view.per}.`;
  if (view.synthetic.total <= 0) return `The synthetic cohort has no ${view.per}.`;
  if (keys < 2) return `Only ${keys} distinct ${keys === 1 ? 'key' : 'keys'} in both cohorts together.`;
  return 'All frequencies of one side are equal, so there are no differences to reproduce.';
};

/** The counts of some keys, patients or occurrences, tallied over both sides. */
type Tallied = (counts: View['counts']) => CountPairs;

/**
 * Tallies each kind of counts once, when it is asked for; `members` are the keys, by default all of them.
 */
export const tallied = ({ real, synthetic }: OccurrenceCounts, members?: Int32Array): Tallied => {
  const known: Partial<Record<View['counts'], CountPairs>> = {};
  return (counts) => {
    const pairs = known[counts] ?? countPairs(real[counts], synthetic[counts], members);
    known[counts] = pairs;
    return pairs;
  };
};

const viewRows = (pairs: CountPairs, view: View): PartialRow[] => {
  const n = pairs.keys;
  const possible = view.real.total > 0 && view.synthetic.total > 0;
  return view.statistics.map((name) => {
    const { name: title, compute, about } = statistics[name];
    const value = possible ? compute(pairs, view) : null;
    const note = value === null ? whyMissing(view, n) : view.note;
    return {
      row: `${view.row}-${name}`,
      title: `${title} of ${view.title}`,
      about,
      value,
      n,
      nIs: 'keys' as const,
      note,
    };
  });
};

/**
 * R², Pearson and Spearman of real against synthetic frequencies, for each view; `n` is the size of the
 * union.
 */
export const agreementRows = (keys: Tallied, views: readonly View[]): PartialRow[] =>
  views.flatMap((view) => viewRows(keys(view.counts), view));

const seriesLimit = { codes: 8000, pairs: 4000, sequences: 4000 };

/**
 * The keys that have the given ranks (ascending) when ordered from many real patients to few, where keys with
 * equally many keep their order. Nothing is sorted: the number of keys with each count gives the ranks.
 */
const keysRanked = (patients: Uint32Array, ranks: readonly number[]): number[] => {
  const keysWith = new Uint32Array(patients.reduce((max, count) => Math.max(max, count), 0) + 1);
  for (let key = 0; key < patients.length; key++)
    keysWith[patients[key] as number] = (keysWith[patients[key] as number] as number) + 1;
  const groups = new Map<number, { places: number[]; keys: number[] }>();
  for (let count = keysWith.length - 1, above = 0, next = 0; count >= 0; count--) {
    const places: number[] = [];
    const end = above + (keysWith[count] as number);
    while (next < ranks.length && (ranks[next] as number) < end)
      places.push((ranks[next++] as number) - above);
    if (places.length > 0) groups.set(count, { places, keys: [] });
    above = end;
  }
  const upcoming = Int32Array.from(keysWith, (_, count) => groups.get(count)?.places[0] ?? -1);
  keysWith.fill(0);
  for (let key = 0; key < patients.length; key++) {
    const count = patients[key] as number;
    const place = keysWith[count] as number;
    keysWith[count] = place + 1;
    const group = place === upcoming[count] ? groups.get(count) : undefined;
    if (group) upcoming[count] = group.places[group.keys.push(key)] ?? -1;
  }
  return [...groups.values()].flatMap(({ keys }) => keys);
};

/**
 * Frequencies per patient for a scatter plot: at most `limit` keys, the frequent ones densely and the tail
 * evenly over the logarithm of the rank. `patients` counts the real ones, for suppression. The name of the
 * series states what its keys are: `codes`, `pairs` (unordered), `sequences` (first, then second).
 */
export const frequencySeries = (
  keys: Keys,
  counts: OccurrenceCounts,
  totals: Pick<View, 'real' | 'synthetic'>,
): Record<string, Series> => {
  const { patients } = counts.real;
  const chosen = keysRanked(patients, rankSample(patients.length, seriesLimit[keys]));
  const column = (of: ArrayLike<number>, total = 1) => chosen.map((key) => (of[key] as number) / total || 0);
  return {
    [keys]: {
      first: column(counts.first),
      ...(keys === 'codes' ? {} : { second: column(counts.second) }),
      real: column(counts.real.patients, totals.real.total),
      synthetic: column(counts.synthetic.patients, totals.synthetic.total),
      patients: column(counts.real.patients),
    },
  };
};
