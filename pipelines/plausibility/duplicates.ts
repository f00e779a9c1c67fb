import {
  codesOfVisit,
  patientCount,
  recordRange,
  type VisitColumns,
  visitRange,
  visitsOf,
} from '../patients/visit-columns.ts';

/** How many patients share each record, patients without a code aside. */
export interface RecordGroups {
  /**
   * Sizes of the groups of patients whose visits hold the same codes; 1 where no other patient has the
   * record.
   */
  sizes: Int32Array;
  /** Patients in all groups. */
  n: number;
}

const recordOf = (columns: VisitColumns, patient: number): string => {
  let record = '';
  const [first, end] = visitRange(columns, patient);
  for (let visit = first; visit < end; visit++) record += `${codesOfVisit(columns, visit).join()};`;
  return record;
};

/** The record of each patient with a code, as a text; equal where the visits hold the same codes. */
export const recordKeys = (columns: VisitColumns): string[] =>
  Array.from({ length: patientCount(columns) }, (_, patient) => patient)
    .filter((patient) => {
      const [from, to] = recordRange(columns, patient);
      return from < to;
    })
    .map((patient) => recordOf(columns, patient));

/** Patients with a code and `leastVisits` visits, grouped by record; labels are not looked at. */
export const recordGroups = (columns: VisitColumns, leastVisits: number): RecordGroups => {
  const found = new Map<string, number>();
  let n = 0;
  for (let p = 0; p < patientCount(columns); p++) {
    const [from, to] = recordRange(columns, p);
    if (visitsOf(columns, p) < leastVisits || from === to) continue;
    const record = recordOf(columns, p);
    found.set(record, (found.get(record) ?? 0) + 1);
    n++;
  }
  return { sizes: Int32Array.from(found.values()).sort(), n };
};

/**
 * Share of patients with a twin that one expects among `size` of them, sampled without replacement: the more
 * patients, the more twins, so cohorts compare at one size only. Exact, by the hypergeometric distribution;
 * nothing is sampled. Null where `size` is 0 or more than there are.
 */
export const twinShare = ({ sizes, n }: RecordGroups, size: number): number | null => {
  if (size < 1 || size > n) return null;
  let share = 0;
  for (const members of sizes) {
    let alone = 1;
    for (let j = 0; j < members - 1 && alone > 0; j++) alone *= Math.max(0, n - size - j) / (n - 1 - j);
    share += (members * (1 - alone)) / n;
  }
  return share;
};

/** Share of the patients who have the commonest record; null where there are none. */
export const commonestShare = ({ sizes, n }: RecordGroups): number | null =>
  n === 0 ? null : (sizes.at(-1) as number) / n;
