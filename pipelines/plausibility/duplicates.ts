import { patientCount, type VisitColumns } from '../patients/visit-columns.ts';

/** How many patients share each record, patients without a code aside. */
export interface RecordGroups {
  /** Sizes of the groups of patients whose visits hold the same codes; 1 where nobody else has the record. */
  sizes: Int32Array;
  /** Patients in all groups. */
  n: number;
}

const recordOf = ({ visitOffsets, codeOffsets, codes }: VisitColumns, patient: number): string => {
  let record = '';
  for (let v = visitOffsets[patient] as number; v < (visitOffsets[patient + 1] as number); v++)
    record += `${codes.subarray(codeOffsets[v], codeOffsets[v + 1]).join()};`;
  return record;
};

/** Patients with a code and `leastVisits` visits, grouped by record; labels are not looked at. */
export const recordGroups = (columns: VisitColumns, leastVisits: number): RecordGroups => {
  const { visitOffsets, codeOffsets } = columns;
  const found = new Map<string, number>();
  let n = 0;
  for (let p = 0; p < patientCount(columns); p++) {
    const [from, to] = [visitOffsets[p] as number, visitOffsets[p + 1] as number];
    if (to - from < leastVisits || codeOffsets[from] === codeOffsets[to]) continue;
    const record = recordOf(columns, p);
    found.set(record, (found.get(record) ?? 0) + 1);
    n++;
  }
  return { sizes: Int32Array.from(found.values()).sort(), n };
};

/**
 * Share of patients with a twin that one expects among `size` of them, drawn without replacement: the more
 * patients, the more twins, so cohorts compare at one size only. Exact, by the hypergeometric distribution;
 * nothing is drawn. Null where `size` is 0 or more than there are.
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
