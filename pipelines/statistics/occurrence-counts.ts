import { patientCount, type VisitColumns } from '../cohort/visit-columns.ts';
import { PairTable } from './pair-table.ts';

/** How often each key occurs in one cohort. */
export interface SideCounts {
  /** Once per visit (or pair of adjacent visits) it is in; repeats inside a visit count again. */
  occurrences: Uint32Array;
  /** Patients who have it at all. */
  patients: Uint32Array;
}

/** Counts over the union of the keys of two cohorts, all arrays equally long. */
export interface OccurrenceCounts {
  /** The token, or the first of the pair. */
  first: Int32Array;
  /** The second of the pair; 0 for single codes. */
  second: Int32Array;
  real: SideCounts;
  synthetic: SideCounts;
}

/** Calls `add` for every key of one patient. */
export type Walk = (columns: VisitColumns, patient: number, add: (a: number, b: number) => void) => void;

class SideTally {
  occurrences = new Uint32Array(1024);
  patients = new Uint32Array(1024);
  #lastPatient = new Int32Array(1024);

  add(key: number, patient: number): void {
    if (key >= this.occurrences.length) this.#grow(key);
    this.occurrences[key] = (this.occurrences[key] as number) + 1;
    if (this.#lastPatient[key] === patient + 1) return;
    this.#lastPatient[key] = patient + 1;
    this.patients[key] = (this.patients[key] as number) + 1;
  }

  #grow(key: number): void {
    const length = 2 ** Math.ceil(Math.log2(key + 1));
    const wider = <T extends Uint32Array | Int32Array>(old: T, next: T): T => {
      next.set(old);
      return next;
    };
    this.occurrences = wider(this.occurrences, new Uint32Array(length));
    this.patients = wider(this.patients, new Uint32Array(length));
    this.#lastPatient = wider(this.#lastPatient, new Int32Array(length));
  }

  counts(size: number): SideCounts {
    if (size > this.occurrences.length) this.#grow(size - 1);
    return { occurrences: this.occurrences.subarray(0, size), patients: this.patients.subarray(0, size) };
  }
}

/** Counts what `walk` names, in one pass over each cohort. Memory grows with the distinct keys only. */
export const countOccurrences = (
  real: VisitColumns,
  synthetic: VisitColumns,
  walk: Walk,
): OccurrenceCounts => {
  const table = new PairTable();
  const sides = [real, synthetic].map((columns) => {
    const tally = new SideTally();
    for (let patient = 0; patient < patientCount(columns); patient++)
      walk(columns, patient, (a, b) => tally.add(table.index(a, b), patient));
    return tally;
  });
  const [realTally, syntheticTally] = sides as [SideTally, SideTally];
  return {
    first: table.first.subarray(0, table.size),
    second: table.second.subarray(0, table.size),
    real: realTally.counts(table.size),
    synthetic: syntheticTally.counts(table.size),
  };
};

const bounds = (offsets: Int32Array, i: number): [number, number] => [
  offsets[i] as number,
  offsets[i + 1] as number,
];

/** Every code of every visit. */
export const eachCode: Walk = (columns, patient, add) => {
  const [firstVisit, endVisit] = bounds(columns.visitOffsets, patient);
  const start = columns.codeOffsets[firstVisit] as number;
  const end = columns.codeOffsets[endVisit] as number;
  for (let i = start; i < end; i++) add(columns.codes[i] as number, 0);
};

/** Every unordered pair of codes inside a visit, smaller token first (visits are sorted). */
export const eachPair: Walk = ({ visitOffsets, codeOffsets, codes }, patient, add) => {
  const [firstVisit, endVisit] = bounds(visitOffsets, patient);
  for (let visit = firstVisit; visit < endVisit; visit++) {
    const [start, end] = bounds(codeOffsets, visit);
    for (let i = start; i < end; i++)
      for (let j = i + 1; j < end; j++) add(codes[i] as number, codes[j] as number);
  }
};

/** Every (code of a visit, code of the next visit), in that order. */
export const eachSequentialPair: Walk = ({ visitOffsets, codeOffsets, codes }, patient, add) => {
  const [firstVisit, endVisit] = bounds(visitOffsets, patient);
  for (let visit = firstVisit + 1; visit < endVisit; visit++) {
    const [before, start] = bounds(codeOffsets, visit - 1);
    const end = codeOffsets[visit + 1] as number;
    for (let i = before; i < start; i++)
      for (let j = start; j < end; j++) add(codes[i] as number, codes[j] as number);
  }
};
