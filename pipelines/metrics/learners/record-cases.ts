import { type Example, visitLimit } from '../../nn/networks/visit-batch.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import { visitsOf } from '../../patients/visit-columns.ts';

/** What a network is shown of a patient: the first visits of the record, without one code. */
export interface RecordCase {
  patient: number;
  /** How many visits are shown. */
  visits: number;
  /** Token taken out of all of them; -1: none. */
  hidden: number;
}

/** Every visit of every patient, as what comes after the visits before it; the first comes after nothing. */
export const beginnings = (cohort: VisitColumns): RecordCase[] =>
  Array.from({ length: cohort.visitOffsets.length - 1 }, (_, patient) =>
    Array.from({ length: visitsOf(cohort, patient) }, (_none, visits) => ({ patient, visits, hidden: -1 })),
  ).flat();

/** Tokens of one visit of a patient, counted from 0. */
export const visitCodes = (cohort: VisitColumns, patient: number, visit: number): Int32Array => {
  const at = (cohort.visitOffsets[patient] as number) + visit;
  return cohort.codes.subarray(cohort.codeOffsets[at], cohort.codeOffsets[at + 1]);
};

/** The cases as patients of a cohort of their own, cut to the visits that a network reads. */
export const excerpts = (cohort: VisitColumns, cases: readonly RecordCase[]): Example[] => {
  const visitOffsets = new Int32Array(cases.length + 1);
  const codeOffsets = [0];
  const codes: number[] = [];
  for (const [i, { patient, visits, hidden }] of cases.entries()) {
    for (let visit = Math.max(0, visits - visitLimit); visit < visits; visit++) {
      for (const token of visitCodes(cohort, patient, visit)) if (token !== hidden) codes.push(token);
      codeOffsets.push(codes.length);
    }
    visitOffsets[i + 1] = codeOffsets.length - 1;
  }
  const columns: VisitColumns = {
    visitOffsets,
    codeOffsets: Int32Array.from(codeOffsets),
    codes: Int32Array.from(codes),
    labels: new Uint8Array(0),
  };
  return cases.map((_, patient) => ({ cohort: columns, patient, positive: false }));
};
