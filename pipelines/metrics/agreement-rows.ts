import { patientCount, type VisitColumns, visitCount } from '../cohort/visit-columns.ts';
import type { PartialRow, Series } from '../metric.ts';
import { pearson, r2, spearman } from '../statistics/agreement.ts';
import type { OccurrenceCounts } from '../statistics/occurrence-counts.ts';
import { rankSample } from '../statistics/rank-sample.ts';
import { patientsWithVisits, referenceNote } from './empty-records.ts';

const statistics = {
  r2: {
    name: 'R²',
    compute: r2,
    about:
      'share of the differences between real frequencies that the synthetic ones reproduce: 1 is exact, 0 is no better than giving every key the mean, below 0 is worse',
  },
  pearson: {
    name: 'Pearson correlation',
    compute: pearson,
    about: 'how straight a line the frequencies fall on, whatever its slope: it forgives a constant bias',
  },
  spearman: {
    name: 'Spearman correlation',
    compute: spearman,
    about: 'how alike the order from frequent to rare is; rare keys weigh as much as frequent ones',
  },
};
export type Statistic = keyof typeof statistics;

/** One way to turn counts into frequencies, and what is computed over them. */
export interface View {
  /** Prefix of the row names: `record`, `visit`, `reference-record`. */
  row: string;
  /** Title of what is compared: `code frequencies per patient`. */
  title: string;
  counts: 'patients' | 'occurrences';
  /** What each side's counts are divided by. */
  real: number;
  synthetic: number;
  /** The things that are divided by, for the sentence when there are none: `patients`. */
  units: string;
  statistics: readonly Statistic[];
  note?: string;
}

const everyStatistic: readonly Statistic[] = ['r2', 'pearson', 'spearman'];

/** Shares of patients who have a key (`what`: code, pair) at all. */
export const recordView = (what: string, real: VisitColumns, synthetic: VisitColumns): View => ({
  row: 'record',
  title: `${what} frequencies per patient`,
  counts: 'patients',
  real: patientCount(real),
  synthetic: patientCount(synthetic),
  units: 'patients',
  statistics: everyStatistic,
});

/** Occurrences of a key per visit. */
export const visitView = (what: string, real: VisitColumns, synthetic: VisitColumns): View => ({
  row: 'visit',
  title: `${what} frequencies per visit`,
  counts: 'occurrences',
  real: visitCount(real),
  synthetic: visitCount(synthetic),
  units: 'visits',
  statistics: everyStatistic,
});

/** `recordView` as the HALO code has it: without the synthetic patients that have no visit. */
export const referenceRecordView = (what: string, real: VisitColumns, synthetic: VisitColumns): View => ({
  ...recordView(what, real, synthetic),
  row: 'reference-record',
  title: `${what} frequencies per patient, the paper's way`,
  synthetic: patientsWithVisits(synthetic),
  units: 'patients with visits',
  statistics: ['r2'],
  note: referenceNote,
});

/** Frequencies of every key of the union, real and synthetic; a key that one side lacks has 0 there. */
export const frequencies = (
  counts: OccurrenceCounts,
  view: Pick<View, 'counts' | 'real' | 'synthetic'>,
): { real: Float64Array; synthetic: Float64Array } => ({
  real: Float64Array.from(counts.real[view.counts], (count) => count / view.real),
  synthetic: Float64Array.from(counts.synthetic[view.counts], (count) => count / view.synthetic),
});

const whyMissing = (view: View, keys: number): string => {
  if (view.real <= 0) return `The real cohort has no ${view.units}.`;
  if (view.synthetic <= 0) return `The synthetic cohort has no ${view.units}.`;
  if (keys < 2) return `Only ${keys} distinct ${keys === 1 ? 'key' : 'keys'} in both cohorts together.`;
  return 'All frequencies of one side are equal, so there are no differences to reproduce.';
};

const viewRows = (counts: OccurrenceCounts, view: View): PartialRow[] => {
  const n = counts.first.length;
  const possible = view.real > 0 && view.synthetic > 0;
  const { real, synthetic } = possible
    ? frequencies(counts, view)
    : { real: new Float64Array(0), synthetic: new Float64Array(0) };
  return view.statistics.map((name) => {
    const { name: title, compute, about } = statistics[name];
    const value = compute(real, synthetic);
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

/** Keys ordered from many real patients to few; keys with equally many keep their order. */
const byPatients = (patients: Uint32Array): Float64Array => {
  const n = patients.length;
  const most = patients.reduce((max, count) => Math.max(max, count), 0);
  return Float64Array.from(patients, (count, key) => (most - count) * n + key)
    .sort()
    .map((packed) => packed % n);
};

/**
 * Frequencies per patient for a scatter plot: at most `limit` keys, the frequent ones densely and the tail
 * evenly over the logarithm of the rank. `patients` counts the real ones, for suppression. The name of the
 * series tells the report what its keys are: `codes`, `pairs` (unordered), `sequences` (first, then second).
 */
export const frequencySeries = (
  keys: 'codes' | 'pairs' | 'sequences',
  counts: OccurrenceCounts,
  totals: { real: number; synthetic: number },
): Record<string, Series> => {
  const order = byPatients(counts.real.patients);
  const chosen = rankSample(order.length, seriesLimit[keys]).map((rank) => order[rank] as number);
  const column = (of: ArrayLike<number>, total = 1) => chosen.map((key) => (of[key] as number) / total || 0);
  return {
    [keys]: {
      first: column(counts.first),
      ...(keys === 'codes' ? {} : { second: column(counts.second) }),
      real: column(counts.real.patients, totals.real),
      synthetic: column(counts.synthetic.patients, totals.synthetic),
      patients: column(counts.real.patients),
    },
  };
};
