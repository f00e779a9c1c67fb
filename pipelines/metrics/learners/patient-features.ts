import { patientCount, type VisitColumns } from '../../patients/visit-columns.ts';

/**
 * Sparse 0/1 rows: features of row i are `columns[offsets[i] … offsets[i + 1] - 1]`, ascending, none twice.
 */
export interface FeatureRows {
  offsets: Int32Array;
  columns: Int32Array;
  /** Width of the matrix. */
  count: number;
}

/** Steps of a length that are distinguished: 0, 1, 2, 3, 4–5, 6–7, 8–11, 12–15, 16–23 … */
const lengthStep = (length: number): number => {
  if (length < 4) return length;
  const power = 31 - Math.clz32(length);
  return Math.min(31, 2 * power + ((length >> (power - 1)) & 1));
};

/** Buckets of pairs of codes: enough that two frequent pairs rarely share one. */
const pairBuckets = 2 ** 18;

/**
 * Most codes of one visit that are paired, so that a monstrous visit does not cost the square of its codes.
 */
const pairedCodes = 64;

const pairBucket = (a: number, b: number): number =>
  Math.imul(Math.imul(a, 0x9e3779b1) ^ b, 0x85ebca6b) >>> 14;

/**
 * What a linear model may know of a patient: each code, each pair of codes that share a visit (hashed), each
 * code that stands in two adjacent visits, the number of visits, and the number of codes of each visit, in
 * steps.
 */
export const patientFeatures = (cohort: VisitColumns, tokens: number): FeatureRows => {
  const [again, lengths] = [tokens, 2 * tokens];
  const visitSteps = lengths + 32;
  const pairs = visitSteps + 32;
  const offsets = [0];
  const columns: number[] = [];
  for (let patient = 0; patient < patientCount(cohort); patient++) {
    const found = new Set<number>();
    const [from, to] = [cohort.visitOffsets[patient] as number, cohort.visitOffsets[patient + 1] as number];
    found.add(lengths + lengthStep(to - from));
    let before = new Set<number>();
    for (let visit = from; visit < to; visit++) {
      const codes = cohort.codes.subarray(cohort.codeOffsets[visit], cohort.codeOffsets[visit + 1]);
      found.add(visitSteps + lengthStep(codes.length));
      for (const [i, code] of codes.entries()) {
        found.add(code);
        if (before.has(code)) found.add(again + code);
        for (let j = i + 1; j < Math.min(codes.length, pairedCodes); j++)
          found.add(pairs + pairBucket(code, codes[j] as number));
      }
      before = new Set(codes);
    }
    for (const feature of [...found].sort((a, b) => a - b)) columns.push(feature);
    offsets.push(columns.length);
  }
  return { offsets: Int32Array.from(offsets), columns: Int32Array.from(columns), count: pairs + pairBuckets };
};

/**
 * Rows of both, one after the other, without the features that fewer than two rows have: what one patient
 * alone has says nothing of another. The columns are numbered anew.
 */
export const joinFeatures = (a: FeatureRows, b: FeatureRows): FeatureRows => {
  const counts = new Int32Array(a.count);
  for (const { columns } of [a, b])
    for (const column of columns) counts[column] = (counts[column] as number) + 1;
  let count = 0;
  const renumbered = counts.map((times) => (times > 1 ? count++ : -1));
  const offsets = [0];
  const kept: number[] = [];
  for (const { columns, offsets: rows } of [a, b])
    for (let row = 0; row + 1 < rows.length; row++) {
      for (let at = rows[row] as number; at < (rows[row + 1] as number); at++) {
        const column = renumbered[columns[at] as number] as number;
        if (column >= 0) kept.push(column);
      }
      offsets.push(kept.length);
    }
  return { offsets: Int32Array.from(offsets), columns: Int32Array.from(kept), count };
};
