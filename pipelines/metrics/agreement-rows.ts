import type { VisitColumns } from '../cohort/visit-columns.ts';
import type { PartialRow, Series } from '../metric.ts';
import { pearson, r2, spearman } from '../statistics/agreement.ts';
import type { Keys, OccurrenceCounts } from '../statistics/occurrence-counts.ts';
import { rankSample } from '../statistics/rank-sample.ts';
import { referenceNote } from './empty-records.ts';

/** Real and synthetic. */
interface Sides {
  counts: [Uint32Array, Uint32Array];
  shares: [Float64Array, Float64Array];
}

const statistics = {
  r2: {
    name: 'R²',
    compute: ({ shares }: Sides) => r2(...shares),
    about:
      'share of the differences between real frequencies that the synthetic ones reproduce: 1 is exact, 0 is no better than giving every key the mean, below 0 is worse',
  },
  pearson: {
    name: 'Pearson correlation',
    compute: ({ shares }: Sides) => pearson(...shares),
    about: 'how straight a line the frequencies fall on, whatever its slope: it forgives a constant bias',
  },
  spearman: {
    name: 'Spearman correlation',
    // Shares are counts over one number, so their ranks are those of the counts.
    compute: ({ counts }: Sides) => spearman(...counts),
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
export const unitsBy = {
  patient: () => 1,
  visit: (visits: number) => visits,
  adjacentVisits: (visits: number) => Math.max(0, visits - 1),
  /** What the reference subtracts in the belief that everybody has a visit. */
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

/** `recordView` as the HALO code has it: without the synthetic patients that have no visit. */
export const referenceRecordView = (what: string, real: VisitColumns, synthetic: VisitColumns): View => ({
  ...recordView(what, real, synthetic),
  row: 'reference-record',
  title: `${what} frequencies per patient, the paper's way`,
  synthetic: divisor(synthetic, 'present'),
  per: 'patients with visits',
  statistics: ['r2'],
  note: referenceNote,
});

/** Counts of every key of the union on one side, as shares of `total`. */
const shares = (counts: Uint32Array, total: number): Float64Array => {
  const divided = new Float64Array(counts);
  for (let i = 0; i < divided.length; i++) divided[i] = (divided[i] as number) / total;
  return divided;
};

const whyMissing = (view: View, keys: number): string => {
  if (view.real.total <= 0) return `The real cohort has no ${view.per}.`;
  if (view.synthetic.total <= 0) return `The synthetic cohort has no ${view.per}.`;
  if (keys < 2) return `Only ${keys} distinct ${keys === 1 ? 'key' : 'keys'} in both cohorts together.`;
  return 'All frequencies of one side are equal, so there are no differences to reproduce.';
};

const viewRows = (counts: OccurrenceCounts, view: View): PartialRow[] => {
  const n = counts.first.length;
  const possible = view.real.total > 0 && view.synthetic.total > 0;
  const real = counts.real[view.counts];
  const synthetic = counts.synthetic[view.counts];
  const sides: Sides = {
    counts: [real, synthetic],
    shares: [shares(real, view.real.total), shares(synthetic, view.synthetic.total)],
  };
  return view.statistics.map((name) => {
    const { name: title, compute, about } = statistics[name];
    const value = possible ? compute(sides) : null;
    const note = value === null ? whyMissing(view, n) : view.note;
    return {
      row: `${view.row}-${name}`,
      title: `${title} of ${view.title}`,
      about,
      value,
      n,
      ...(note === undefined ? {} : { note }),
    };
  });
};

/** R², Pearson and Spearman of real against synthetic frequencies, for each view; `n` is the size of the union. */
export const agreementRows = (counts: OccurrenceCounts, views: readonly View[]): PartialRow[] =>
  views.flatMap((view) => viewRows(counts, view));

const seriesLimit = { codes: 8000, pairs: 4000, sequences: 4000 };

/** Keys ordered from many real patients to few, by counting sort; keys with equally many keep their order. */
const byPatients = (patients: Uint32Array): Int32Array => {
  const most = patients.reduce((max, count) => Math.max(max, count), 0);
  const next = new Int32Array(most + 2);
  for (const count of patients) next[most - count + 1] = (next[most - count + 1] as number) + 1;
  for (let i = 0; i < most; i++) next[i + 1] = (next[i + 1] as number) + (next[i] as number);
  const order = new Int32Array(patients.length);
  for (let key = 0; key < patients.length; key++) {
    const bucket = most - (patients[key] as number);
    const slot = next[bucket] as number;
    order[slot] = key;
    next[bucket] = slot + 1;
  }
  return order;
};

/**
 * Frequencies per patient for a scatter plot: at most `limit` keys, the frequent ones densely and the tail
 * evenly over the logarithm of the rank. `patients` counts the real ones, for suppression. The name of the
 * series tells the report what its keys are: `codes`, `pairs` (unordered), `sequences` (first, then second).
 */
export const frequencySeries = (
  keys: Keys,
  counts: OccurrenceCounts,
  totals: Pick<View, 'real' | 'synthetic'>,
): Record<string, Series> => {
  const order = byPatients(counts.real.patients);
  const chosen = rankSample(order.length, seriesLimit[keys]).map((rank) => order[rank] as number);
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
