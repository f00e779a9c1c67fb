import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { patientCount, type VisitColumns, visitRange } from '../../patients/visit-columns.ts';
import { type NumberColumn, numberColumn } from './distributions.ts';

/** Days between the visits of a cohort. */
export interface GapColumns {
  /** One per later visit that has a gap. */
  gaps: NumberColumn;
  /** Per patient: visits, visits after the first, and those of them without a gap. */
  visits: Int32Array;
  later: Int32Array;
  withoutGap: Int32Array;
}

/** Gaps of the visits after each patient's first; where a visit has several, the first counts. */
export const gapColumns = (columns: VisitColumns, { codes: meanings }: Vocabulary): GapColumns => {
  const { codeOffsets, codes, values } = columns;
  const patients = patientCount(columns);
  const isGap = Uint8Array.from(meanings, ({ modality }) => (modality === 'gap' ? 1 : 0));
  const [visits, later, withoutGap] = [0, 1, 2].map(() => new Int32Array(patients)) as [
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  const [days, owners]: [number[], number[]] = [[], []];
  const gapOf = (visit: number): number => {
    for (let i = codeOffsets[visit] as number; i < (codeOffsets[visit + 1] as number); i++)
      if (isGap[codes[i] as number] === 1) return values?.[i] ?? Number.NaN;
    return Number.NaN;
  };
  for (let patient = 0; patient < patients; patient++) {
    const [first, end] = visitRange(columns, patient);
    visits[patient] = end - first;
    later[patient] = Math.max(0, end - first - 1);
    for (let visit = first + 1; visit < end; visit++) {
      const gap = gapOf(visit);
      if (Number.isNaN(gap)) withoutGap[patient] = (withoutGap[patient] as number) + 1;
      else {
        days.push(gap);
        owners.push(patient);
      }
    }
  }
  return { gaps: numberColumn(days, owners), visits, later, withoutGap };
};

/** Numbers of visits taken together: `from ≤ visits < to`, and the real patients with a gap behind them. */
export interface LengthPool {
  from: number;
  to: number;
  patients: number;
}

/**
 * Record lengths from 2 on, each taken together with the next until enough patients with a gap stand behind
 * it.
 */
export const lengthPools = ({ gaps, visits }: GapColumns, enough: number): LengthPool[] => {
  const longest = visits.reduce((most, length) => Math.max(most, length), 0);
  const counts = new Int32Array(longest + 1);
  for (const patient of new Set(gaps.patients)) {
    const length = visits[patient] as number;
    counts[length] = (counts[length] as number) + 1;
  }
  const pools: LengthPool[] = [];
  let open = { from: 2, patients: 0 };
  for (let length = 2; length <= longest; length++) {
    open.patients += counts[length] as number;
    if (open.patients < Math.max(1, enough)) continue;
    pools.push({ ...open, to: length + 1 });
    open = { from: length + 1, patients: 0 };
  }
  const last = pools.at(-1);
  // The longest of all belong to those before them, however long a synthetic record is.
  if (last)
    pools.splice(-1, 1, {
      from: last.from,
      to: Number.POSITIVE_INFINITY,
      patients: last.patients + open.patients,
    });
  return pools;
};

/** Mean gap of the records of each pool, patients as often as `weights` states; null where there is none. */
export const poolMeans = (
  { gaps, visits }: GapColumns,
  pools: readonly LengthPool[],
  weights: Int32Array,
): (number | null)[] => {
  const sums = new Float64Array(pools.length);
  const counts = new Float64Array(pools.length);
  gaps.patients.forEach((patient, i) => {
    const length = visits[patient] as number;
    const pool = pools.findIndex(({ from, to }) => length >= from && length < to);
    if (pool < 0) return;
    const weight = weights[patient] as number;
    sums[pool] = (sums[pool] as number) + weight * (gaps.values[i] as number);
    counts[pool] = (counts[pool] as number) + weight;
  });
  return pools.map((_, pool) =>
    counts[pool] === 0 ? null : (sums[pool] as number) / (counts[pool] as number),
  );
};
