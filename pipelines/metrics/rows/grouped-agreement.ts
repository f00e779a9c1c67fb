import type { Steps } from '../../kernel/steps.ts';
import type { MetricResult, PartialRow } from '../metric.ts';
import { countPairs } from '../statistics/count-agreement.ts';
import { countOccurrences, type OccurrenceCounts } from '../statistics/occurrence-counts.ts';
import type { Keys } from '../statistics/postings.ts';
import { agreement, type Compared, type Part } from './agreement.ts';
import { adjacentView, agreementRows, recordView, type View, visitView } from './agreement-rows.ts';

/** Some of the keys, whose agreement is computed by itself. */
export interface KeyGroup {
  /** Prefix of the row names: `head`, `dx`. */
  row: string;
  /** What one key is: `rare code`, `pair of diagnoses`. */
  what: string;
  keep(counts: OccurrenceCounts, key: number): boolean;
  /** Why there can be no such key; it becomes the note of one row. */
  absent?: string;
}

/** Indices of the keys for which `keep` holds, ascending. */
const membersOf = (counts: OccurrenceCounts, keep: KeyGroup['keep']): Int32Array => {
  const kept = new Int32Array(counts.first.length);
  let size = 0;
  for (let key = 0; key < kept.length; key++) if (keep(counts, key)) kept[size++] = key;
  return kept.slice(0, size);
};

const noKeys = () => countPairs(new Uint32Array(0), new Uint32Array(0));

const absentRow = (view: View, note: string): PartialRow[] =>
  agreementRows(noKeys, [{ ...view, statistics: ['r2'] }]).map((row) => ({ ...row, note }));

/**
 * R², Pearson and Spearman per patient and per visit, group by group. Frequencies are those of the whole
 * cohort: a visit without drugs is a visit, and its drugs are none.
 */
export function* groupedAgreement(
  keys: Keys,
  cohorts: Compared,
  groupsOf: (counts: OccurrenceCounts) => KeyGroup[],
): Steps<MetricResult> {
  const { train: real, synthetic } = cohorts;
  const counts = countOccurrences(real, synthetic, keys);
  const absentRows: PartialRow[] = [];
  const parts: Part[] = [];
  for (const { row, what, keep, absent } of groupsOf(counts)) {
    const perVisit = keys === 'sequences' ? adjacentView : visitView;
    const [record, visit] = [recordView(what, real, synthetic), perVisit(what, real, synthetic)].map(
      (view): View => ({ ...view, row: `${row}-${view.row}` }),
    ) as [View, View];
    if (absent === undefined) parts.push({ members: membersOf(counts, keep), views: [record, visit] });
    else absentRows.push(...absentRow(record, absent));
  }
  return { rows: [...(yield* agreement(keys, cohorts, counts, parts)), ...absentRows] };
}
