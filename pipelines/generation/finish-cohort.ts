import type { Vocabulary } from '../../schemas/vocabulary.ts';
import type { VisitColumns } from '../patients/visit-columns.ts';
import { readCodeRules } from '../plausibility/code-rules.ts';
import { removeContradictions } from '../plausibility/remove-contradictions.ts';
import { drawValues } from './sample-values.ts';

const codeRules = await readCodeRules();

/** A sampled cohort with what was removed from it: reason → what → count, as in `token-cohort.json`. */
export interface Finished {
  columns: VisitColumns;
  changed: Record<string, Record<string, number>>;
  /** The same in one line per reason. */
  summary: Record<string, number>;
}

/**
 * What comes between a sampler and a synthetic cohort: codes that contradict sex or age are removed if `rules` say so, and
 * bucket tokens get their numbers. Without buckets and rules the columns come back as they are. Independent of how
 * the patients were cut into batches. Throws InvalidConfig when the rules cannot be held against these codes.
 */
export const finishCohort = (
  drawn: VisitColumns,
  vocabulary: Vocabulary,
  { seed, rules }: { seed: number; rules: 'off' | 'remove' },
): Finished => {
  const changed: Finished['changed'] = {};
  let columns = drawn;
  if (rules === 'remove') {
    const cleared = removeContradictions(columns, vocabulary, codeRules);
    columns = cleared.columns;
    for (const [rule, removal] of Object.entries(cleared.removed)) changed[rule] = { ...removal };
    changed['left-without-codes'] = { visits: cleared.emptied };
  }
  if (vocabulary.codes.some(({ bucket }) => bucket)) {
    const { columns: numbered, removed } = drawValues(columns, vocabulary, seed);
    columns = numbered;
    changed['second-range-of-a-test'] = { codes: removed.labs };
    changed['second-gap'] = { codes: removed.gaps };
    changed['gap-before-first-visit'] = { codes: removed.firstGaps };
  }
  const counts = Object.entries(changed).map(([reason, { codes, visits }]) => [
    `${reason}, ${codes === undefined ? 'visits' : 'codes removed'}`,
    codes ?? visits ?? 0,
  ]);
  return { columns, changed, summary: Object.fromEntries(counts) };
};
