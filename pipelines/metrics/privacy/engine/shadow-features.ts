import { tokenKinds } from '../../../../schemas/ehr.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import { patientCount, type VisitColumns } from '../../../patients/visit-columns.ts';
import { beginnings, type RecordCase, visitCodes } from '../../learners/record-cases.ts';
import type { Question, RecordQuery } from '../../learners/record-models.ts';

/** Numbers about patients, one row each; NaN where a patient has nothing to compute a number from. */
export interface FeatureTable {
  width: number;
  values: Float64Array;
}

/** Rows of a table, in the order asked for. */
export const selectRows = ({ width, values }: FeatureTable, rows: ArrayLike<number>): FeatureTable => {
  const chosen = new Float64Array(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    chosen.set(values.subarray(row * width, (row + 1) * width), i * width);
  }
  return { width, values: chosen };
};

/** The next visit's codes, all of the vocabulary, each as likely as the others to be wrong about. */
export const nextVisitQuestion = (tokens: number): Question => ({
  outputs: tokens,
  weights: 1,
  answer({ cohort }, { patient, visits }, targets, weights) {
    for (const token of visitCodes(cohort, patient, visits)) targets[token] = 1;
    weights[0] = 1;
  },
});

/** log(1 + eˣ) */
const softplus = (x: number): number => Math.max(0, x) + Math.log1p(Math.exp(-Math.abs(x)));

/** Which of the kinds that the vocabulary has each token is. */
const kindsOf = ({ codes }: Vocabulary): { kinds: number; kindOf: Uint8Array } => {
  const present = tokenKinds.filter((kind) => codes.some(({ modality }) => modality === kind));
  return {
    kinds: present.length,
    kindOf: Uint8Array.from(codes, ({ modality }) => present.indexOf(modality)),
  };
};

/**
 * What the shadow makes of a cohort's patients, filled in as it is asked: per kind of code, the mean over
 * visits of −ln p of a code that is there (the logarithm of PromptEHR's longitudinal perplexity, equation 6)
 * and of −Σ ln(1 − p) of those that are not; over all kinds the mean, least and greatest of the first and the
 * mean of both together. Kinds count for themselves, as patients without procedures give no information on
 * procedures.
 */
export const shadowFeatures = (
  cohort: VisitColumns,
  vocabulary: Vocabulary,
): { table: FeatureTable; query: RecordQuery } => {
  const { kinds, kindOf } = kindsOf(vocabulary);
  const width = 2 * kinds + 4;
  const table = { width, values: new Float64Array(patientCount(cohort) * width).fill(Number.NaN) };
  const counts = new Int32Array(table.values.length);
  const costs = new Float64Array(kinds + 1);
  const rest = new Float64Array(kinds + 1);
  const codes = new Int32Array(kinds + 1);
  const cases = beginnings(cohort);

  /** Sums up what the visit costs, by kind and (last) over all. */
  const weigh = (visit: Int32Array, logits: Float32Array) => {
    for (const sums of [costs, rest, codes]) sums.fill(0);
    for (let token = 0; token < logits.length; token++)
      rest[kindOf[token] as number] =
        (rest[kindOf[token] as number] as number) + softplus(logits[token] as number);
    for (const token of visit) {
      const [kind, logit] = [kindOf[token] as number, logits[token] as number];
      costs[kind] = (costs[kind] as number) + softplus(-logit);
      rest[kind] = (rest[kind] as number) - softplus(logit);
      codes[kind] = (codes[kind] as number) + 1;
    }
    for (let kind = 0; kind < kinds; kind++)
      for (const sums of [costs, rest, codes]) sums[kinds] = (sums[kinds] as number) + (sums[kind] as number);
  };

  const mean = (at: number, value: number) => {
    const known = counts[at] as number;
    const before = known === 0 ? 0 : (table.values[at] as number);
    table.values[at] = before + (value - before) / (known + 1);
    counts[at] = known + 1;
  };

  const tell = (_model: number, index: number, logits: Float32Array) => {
    const { patient, visits } = cases[index] as RecordCase;
    weigh(visitCodes(cohort, patient, visits), logits);
    const row = patient * width;
    for (let kind = 0; kind <= kinds; kind++) {
      const count = codes[kind] as number;
      if (count > 0) mean(row + 2 * kind, (costs[kind] as number) / count);
      mean(row + 2 * kind + 1, (rest[kind] as number) + (kind === kinds ? (costs[kind] as number) : 0));
    }
    const all = codes[kinds] as number;
    if (all === 0) return;
    const [cost, extremes] = [(costs[kinds] as number) / all, row + 2 * kinds + 2];
    const [least, greatest] = [table.values[extremes] as number, table.values[extremes + 1] as number];
    table.values[extremes] = Number.isNaN(least) ? cost : Math.min(least, cost);
    table.values[extremes + 1] = Number.isNaN(greatest) ? cost : Math.max(greatest, cost);
  };
  return { table, query: { cohort, cases, tell } };
};
