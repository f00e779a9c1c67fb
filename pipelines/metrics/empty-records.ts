import { patientCount, type VisitColumns } from '../cohort/visit-columns.ts';

/**
 * Patients that have a visit at all. The HALO code drops synthetic patients without visits before it counts
 * (evaluate_datasets.py lines 17–27); we keep them, because whoever receives the cohort receives them too,
 * and give the paper's way as rows whose names begin with `reference-`.
 */
export const patientsWithVisits = ({ visitOffsets }: VisitColumns): number => {
  let found = 0;
  for (let p = 1; p < visitOffsets.length; p++) if (visitOffsets[p] !== visitOffsets[p - 1]) found++;
  return found;
};

/** Pairs of adjacent visits: one fewer than the visits of each patient that has any. */
export const adjacentVisits = (columns: VisitColumns): number =>
  columns.codeOffsets.length - 1 - patientsWithVisits(columns);

/** Indices of the patients that have a visit. */
export const nonEmptyPatients = (columns: VisitColumns): number[] =>
  Array.from({ length: patientCount(columns) }, (_, patient) => patient).filter(
    (patient) => columns.visitOffsets[patient + 1] !== columns.visitOffsets[patient],
  );

export const referenceNote =
  'Computed as in the HALO code: synthetic patients without a visit are left out first.';
