/**
 * What codes have to do with each other, as few numbers per code as a small cohort supports: ln of how much
 * likelier two codes are in one visit than they would be by chance, drawn toward zero where few visits tell,
 * and of that matrix the leading directions (Levy and Goldberg 2014 show that embeddings of words factor such
 * a matrix).
 */

import type { Pace } from '../../../kernel/pace.ts';
import { RandomSource } from '../../../kernel/random.ts';
import { patientCount, type VisitColumns, visitCount } from '../../../patients/visit-columns.ts';

/** Visits that two codes are taken to have shared, and would share by chance, before any is counted. */
const prior = 2;

/** Patients who must have a code: no row begins as what one patient's visits say. */
const fewestPatients = 2;

/** The commonest codes alone, so that the matrix stays small. */
const mostCodes = 2048;

/** Codes that get rows of their own, ascending. */
const associatedCodes = (columns: VisitColumns, codes: number): Int32Array => {
  const patients = new Int32Array(codes);
  const last = new Int32Array(codes).fill(-1);
  for (let patient = 0; patient < patientCount(columns); patient++) {
    const [from, to] = [columns.visitOffsets[patient] as number, columns.visitOffsets[patient + 1] as number];
    const end = columns.codeOffsets[to] as number;
    for (let i = columns.codeOffsets[from] as number; i < end; i++) {
      const code = columns.codes[i] as number;
      if (last[code] === patient) continue;
      last[code] = patient;
      patients[code] = (patients[code] as number) + 1;
    }
  }
  const count = (code: number) => patients[code] as number;
  const common = Array.from(patients.keys()).filter((code) => count(code) >= fewestPatients);
  common.sort((a, b) => count(b) - count(a) || a - b);
  return Int32Array.from(common.slice(0, mostCodes)).sort();
};

/** `[n, n]` ln((visits with both + prior) / (visits with both by chance + prior)), for the codes given. */
export const associations = (columns: VisitColumns, chosen: Int32Array, codes: number): Float64Array => {
  const n = chosen.length;
  const place = new Int32Array(codes).fill(-1);
  chosen.forEach((code, i) => {
    place[code] = i;
  });
  const table = new Float64Array(n * n);
  const visits = visitCount(columns);
  for (let visit = 0; visit < visits; visit++) {
    const own = columns.codes.subarray(columns.codeOffsets[visit], columns.codeOffsets[visit + 1]);
    const places = Array.from(own, (code) => place[code] as number).filter((at) => at >= 0);
    for (const a of places) for (const b of places) table[a * n + b] = (table[a * n + b] as number) + 1;
  }
  const counts = Float64Array.from({ length: n }, (_, i) => table[i * n + i] as number);
  for (let a = 0; a < n; a++)
    for (let b = 0; b < n; b++) {
      const byChance = ((counts[a] as number) * (counts[b] as number)) / Math.max(1, visits);
      table[a * n + b] = Math.log(((table[a * n + b] as number) + prior) / (byChance + prior));
    }
  return table;
};

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
};

/** Gram and Schmidt, in place; a vector that the others span becomes zero. */
const orthonormalize = (vectors: readonly Float64Array[]): void => {
  vectors.forEach((own, k) => {
    for (const other of vectors.slice(0, k)) {
      const along = dot(own, other);
      for (let i = 0; i < own.length; i++) own[i] = (own[i] as number) - along * (other[i] as number);
    }
    const norm = Math.sqrt(dot(own, own));
    for (let i = 0; i < own.length; i++) own[i] = norm > 1e-9 ? (own[i] as number) / norm : 0;
  });
};

/** Rounds of the power method; the last directions need not be exact, as training goes on from them. */
const rounds = 30;

/**
 * `[n, rank]` rows whose products are nearest to a symmetric matrix [n, n]: of its eigenvectors of largest
 * size, those of positive value, times the root of it. By orthogonal iteration, from the same vectors
 * whatever the seed.
 */
export const leadingFactors = async (
  matrix: Float64Array,
  n: number,
  rank: number,
  pace: Pace,
): Promise<Float64Array> => {
  const random = new RandomSource(0, 'weights');
  let vectors: Float64Array[] = Array.from({ length: Math.min(rank, n) }, (_, k) => {
    const drawn = new Float64Array(n);
    random.fill(drawn, 0, n, k, 0);
    return drawn.map((value) => value - 0.5);
  });
  let values: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    orthonormalize(vectors);
    const next: Float64Array[] = [];
    for (const vector of vectors) {
      next.push(vector.map((_, i) => dot(matrix.subarray(i * n, (i + 1) * n), vector)));
      await pace.rest();
    }
    values = vectors.map((vector, k) => dot(vector, next[k] as Float64Array));
    if (round < rounds) vectors = next;
  }
  const factors = new Float64Array(n * rank);
  vectors.forEach((vector, k) => {
    const size = Math.sqrt(Math.max(0, values[k] as number));
    for (let i = 0; i < n; i++) factors[i * rank + k] = size * (vector[i] as number);
  });
  return factors;
};

/** Codes of the columns with the row of each, [codes, rank]. */
export const associatedRows = async (
  columns: VisitColumns,
  codes: number,
  rank: number,
  pace: Pace,
): Promise<{ codes: Int32Array; rows: Float64Array }> => {
  const chosen = associatedCodes(columns, codes);
  const table = associations(columns, chosen, codes);
  return { codes: chosen, rows: await leadingFactors(table, chosen.length, rank, pace) };
};
