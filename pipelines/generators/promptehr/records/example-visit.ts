import type { VisitColumns } from '../../../patients/visit-columns.ts';

/** A visit that an example is made of, with its patient. */
export interface Subject {
  columns: VisitColumns;
  patient: number;
  /** Counted over all patients, as codeOffsets counts. */
  visit: number;
}

/** Patients that can be learned from: those with a visit. */
export const withVisits = ({ visitOffsets }: VisitColumns): Int32Array =>
  Int32Array.from({ length: visitOffsets.length - 1 }, (_, patient) => patient).filter(
    (patient) => visitOffsets[patient] !== visitOffsets[patient + 1],
  );

/** Every visit of a cohort, with its patient. */
export const subjectsOf = (columns: VisitColumns): Subject[] =>
  [...withVisits(columns)].flatMap((patient) => {
    const first = columns.visitOffsets[patient] as number;
    const visits = (columns.visitOffsets[patient + 1] as number) - first;
    return Array.from({ length: visits }, (_, i) => ({ columns, patient, visit: first + i }));
  });

/** Codes of a visit and of those before it: as the lengths of their contexts go. */
export const lengthOf = ({ columns: { visitOffsets, codeOffsets }, patient, visit }: Subject): number =>
  (codeOffsets[visit + 1] as number) - (codeOffsets[visitOffsets[patient] as number] as number);
