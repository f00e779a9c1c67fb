import type { VisitColumns } from '../cohort/visit-columns.ts';
import type { Steps } from '../measure.ts';
import type { MetricResult, PartialRow } from '../metric.ts';
import { countOccurrences, type Keys, type OccurrenceCounts } from '../statistics/occurrence-counts.ts';
import { adjacentView, agreementRows, recordView, type View, visitView } from './agreement-rows.ts';

/** Some of the keys, whose agreement is told apart from that of the others. */
export interface KeyGroup {
  /** Prefix of the row names: `head`, `dx`. */
  row: string;
  /** What one key is: `rare code`, `pair of diagnoses`. */
  what: string;
  keep(counts: OccurrenceCounts, key: number): boolean;
  /** Why there can be no such key; one row then says so. */
  absent?: string;
}

/** The counts of the keys for which `keep` holds, in their old order. */
const selectKeys = (counts: OccurrenceCounts, keep: KeyGroup['keep']): OccurrenceCounts => {
  const kept = new Int32Array(counts.first.length);
  let size = 0;
  for (let key = 0; key < kept.length; key++) if (keep(counts, key)) kept[size++] = key;
  const chosen = kept.subarray(0, size);
  const gather = <T extends Int32Array | Uint32Array>(from: T, into: T): T => {
    for (let i = 0; i < size; i++) into[i] = from[chosen[i] as number] as number;
    return into;
  };
  const side = ({ occurrences, patients }: OccurrenceCounts['real']) => ({
    occurrences: gather(occurrences, new Uint32Array(size)),
    patients: gather(patients, new Uint32Array(size)),
  });
  return {
    first: gather(counts.first, new Int32Array(size)),
    second: gather(counts.second, new Int32Array(size)),
    real: side(counts.real),
    synthetic: side(counts.synthetic),
  };
};

const absentRow = (view: View, note: string): PartialRow[] =>
  agreementRows({ ...nothing, first: new Int32Array(0) }, [{ ...view, statistics: ['r2'] }]).map((row) => ({
    ...row,
    note,
  }));

const none = new Uint32Array(0);
const nothing = {
  second: new Int32Array(0),
  real: { occurrences: none, patients: none },
  synthetic: { occurrences: none, patients: none },
};

/** What is compared with what. */
interface Cohorts {
  train: VisitColumns;
  synthetic: VisitColumns;
}

/**
 * R², Pearson and Spearman per patient and per visit, group by group. Frequencies are those of the whole
 * cohort: a visit without drugs is a visit, and its drugs are none.
 */
export function* groupedAgreement(
  keys: Keys,
  { train: real, synthetic }: Cohorts,
  groupsOf: (counts: OccurrenceCounts) => KeyGroup[],
): Steps<MetricResult> {
  const counts = countOccurrences(real, synthetic, keys);
  const groups = groupsOf(counts);
  const rows: PartialRow[] = [];
  for (const [index, { row, what, keep, absent }] of groups.entries()) {
    yield { step: index, of: groups.length };
    const perVisit = keys === 'sequences' ? adjacentView : visitView;
    const [record, visit] = [recordView(what, real, synthetic), perVisit(what, real, synthetic)].map(
      (view): View => ({ ...view, row: `${row}-${view.row}` }),
    ) as [View, View];
    rows.push(
      ...(absent === undefined
        ? agreementRows(selectKeys(counts, keep), [record, visit])
        : absentRow(record, absent)),
    );
  }
  return { rows };
}
