import { type VisitColumns, visitCount } from '../cohort/visit-columns.ts';
import { type Postings, postingsOf } from './postings.ts';

/** How often each key occurs in one cohort. */
export interface SideCounts {
  /** Once per visit (or pair of adjacent visits) it is in; repeats inside a visit count again. */
  occurrences: Uint32Array;
  /** Patients who have it at all. */
  patients: Uint32Array;
}

/** Counts over the union of the keys of two cohorts, in ascending order of the keys; all equally long. */
export interface OccurrenceCounts {
  /** The token, or the first of the pair. */
  first: Int32Array;
  /** The second of the pair; 0 for single codes. */
  second: Int32Array;
  real: SideCounts;
  synthetic: SideCounts;
}

/** What is counted: codes, unordered pairs within a visit (smaller token first), or (code, code of next visit). */
export type Keys = 'codes' | 'pairs' | 'sequences';

const columnNames = ['first', 'second', 'realVisits', 'realPatients', 'syntheticVisits', 'syntheticPatients'];

/** Rows of six integers that grow without an object per row. */
class Rows {
  #columns = columnNames.map(() => new Uint32Array(1024));
  #size = 0;

  push(row: readonly number[]): void {
    if (this.#size === this.#columns[0]?.length)
      this.#columns = this.#columns.map((column) => {
        const longer = new Uint32Array(column.length * 2);
        longer.set(column);
        return longer;
      });
    for (let i = 0; i < row.length; i++) (this.#columns[i] as Uint32Array)[this.#size] = row[i] as number;
    this.#size++;
  }

  counts(): OccurrenceCounts {
    const column = (i: number) => (this.#columns[i] as Uint32Array).subarray(0, this.#size);
    return {
      first: Int32Array.from(column(0)),
      second: Int32Array.from(column(1)),
      real: { occurrences: column(2), patients: column(3) },
      synthetic: { occurrences: column(4), patients: column(5) },
    };
  }
}

/** Partners of one first token in one cohort: arrays as long as the vocabulary, small enough for the cache. */
class PartnerTally {
  readonly occurrences: Uint32Array;
  readonly patients: Uint32Array;
  readonly #lastPatient: Int32Array;
  readonly #index: Postings;
  readonly #keys: Keys;
  /** Per visit, where the codes that its codes are paired with end. */
  readonly #ends: Int32Array;

  constructor(columns: VisitColumns, tokens: number, keys: Keys) {
    this.occurrences = new Uint32Array(tokens);
    this.patients = new Uint32Array(tokens);
    this.#lastPatient = new Int32Array(tokens);
    this.#index = postingsOf(columns, tokens);
    this.#keys = keys;
    const { patientAt } = this.#index;
    this.#ends = Int32Array.from({ length: visitCount(columns) }, (_, visit) => {
      const isLast = patientAt[visit] !== patientAt[visit + 1];
      return columns.codeOffsets[keys === 'sequences' && !isLast ? visit + 2 : visit + 1] as number;
    });
  }

  /** Counts all partners of `token`; those met for the first time are added to `met`, whose new size is given. */
  count(token: number, met: Int32Array, size: number, other?: PartnerTally): number {
    const { offsets, positions, visitAt, patientAt, columns } = this.#index;
    const { codes, codeOffsets } = columns;
    const { occurrences, patients } = this;
    let known = size;
    for (let p = offsets[token] as number; p < (offsets[token + 1] as number); p++) {
      const position = positions[p] as number;
      const visit = visitAt[position] as number;
      const patient = (patientAt[visit] as number) + 1;
      const start = this.#keys === 'pairs' ? position + 1 : (codeOffsets[visit + 1] as number);
      for (let i = start; i < (this.#ends[visit] as number); i++) {
        const partner = codes[i] as number;
        const before = occurrences[partner] as number;
        if (before === 0 && !other?.occurrences[partner]) met[known++] = partner;
        occurrences[partner] = before + 1;
        if (this.#lastPatient[partner] === patient) continue;
        this.#lastPatient[partner] = patient;
        patients[partner] = (patients[partner] as number) + 1;
      }
    }
    return known;
  }

  forget(partner: number): void {
    this.occurrences[partner] = 0;
    this.patients[partner] = 0;
    this.#lastPatient[partner] = 0;
  }
}

const countPairs = (
  real: VisitColumns,
  synthetic: VisitColumns,
  tokens: number,
  keys: Keys,
): OccurrenceCounts => {
  const ours = new PartnerTally(synthetic, tokens, keys);
  const theirs = new PartnerTally(real, tokens, keys);
  const met = new Int32Array(tokens);
  const rows = new Rows();
  for (let first = 0; first < tokens; first++) {
    const size = ours.count(first, met, theirs.count(first, met, 0), theirs);
    for (const second of met.subarray(0, size).sort()) {
      rows.push([
        first,
        second,
        theirs.occurrences[second] as number,
        theirs.patients[second] as number,
        ours.occurrences[second] as number,
        ours.patients[second] as number,
      ]);
      theirs.forget(second);
      ours.forget(second);
    }
  }
  return rows.counts();
};

const codeCounts = (columns: VisitColumns, tokens: number): SideCounts => {
  const { offsets, positions, visitAt, patientAt } = postingsOf(columns, tokens);
  const occurrences = new Uint32Array(tokens);
  const patients = new Uint32Array(tokens);
  for (let token = 0; token < tokens; token++) {
    let last = -1;
    for (let p = offsets[token] as number; p < (offsets[token + 1] as number); p++) {
      const patient = patientAt[visitAt[positions[p] as number] as number] as number;
      if (patient !== last) patients[token] = (patients[token] as number) + 1;
      last = patient;
    }
    occurrences[token] = (offsets[token + 1] as number) - (offsets[token] as number);
  }
  return { occurrences, patients };
};

const countCodes = (real: VisitColumns, synthetic: VisitColumns, tokens: number): OccurrenceCounts => {
  const theirs = codeCounts(real, tokens);
  const ours = codeCounts(synthetic, tokens);
  const rows = new Rows();
  for (let token = 0; token < tokens; token++) {
    const row = [theirs.occurrences, theirs.patients, ours.occurrences, ours.patients].map(
      (counts) => counts[token] as number,
    );
    if (row.some((count) => count > 0)) rows.push([token, 0, ...row]);
  }
  return rows.counts();
};

/**
 * Counts keys in two cohorts. Pairs are counted first token by first token, over an inverted index: every pair
 * costs one touch of an array that fits the cache, and memory grows with the distinct keys only.
 */
export const countOccurrences = (
  real: VisitColumns,
  synthetic: VisitColumns,
  keys: Keys,
): OccurrenceCounts => {
  let tokens = 0;
  for (const { codes } of [real, synthetic]) for (const token of codes) tokens = Math.max(tokens, token + 1);
  return keys === 'codes' ? countCodes(real, synthetic, tokens) : countPairs(real, synthetic, tokens, keys);
};
