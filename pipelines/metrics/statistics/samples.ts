import { RandomSource } from '../../kernel/random.ts';
import {
  codesOfVisit,
  labelsOfPatient,
  patientCount,
  selectPatients,
  type VisitColumns,
  VisitColumnsBuilder,
  visitRange,
  visitsOf,
} from '../../patients/visit-columns.ts';

/** The three sides of every privacy measure. `test` is real, and nothing was trained on it. */
export interface PrivacyCohorts {
  train: VisitColumns;
  test: VisitColumns;
  synthetic: VisitColumns;
}

/** Which draw of a seed: equal seeds must not pair patient i of one cohort with patient i of another. */
const streams = { train: 0, test: 1, synthetic: 2 } as const;

/**
 * `size` patients drawn without replacement, in their old order; the cohort itself where it has no more.
 * The only place where the order of patients in a cohort can matter.
 */
export function sample(
  columns: VisitColumns,
  size: number,
  seed: number,
  of: keyof typeof streams,
): VisitColumns {
  const count = patientCount(columns);
  if (size >= count) return columns;
  const order = new RandomSource(seed, 'attack').permutation(count, streams[of]);
  return selectPatients(columns, order.subarray(0, size).sort());
}

/** Cuts a cohort in two at random: `size` patients and the rest. */
export function divide(columns: VisitColumns, size: number, seed: number, of: keyof typeof streams) {
  const order = new RandomSource(seed, 'attack').permutation(patientCount(columns), streams[of]);
  return [
    selectPatients(columns, order.subarray(0, size).sort()),
    selectPatients(columns, order.subarray(size).sort()),
  ] as const;
}

/** Patients for whom `keep` holds. */
const filter = (columns: VisitColumns, keep: (patient: number) => boolean): VisitColumns =>
  selectPatients(columns, [...Array(patientCount(columns)).keys()].filter(keep));

/** Without patients who have no visit, as the HALO scripts read a synthetic cohort. */
export const withVisits = (columns: VisitColumns): VisitColumns =>
  filter(columns, (p) => visitsOf(columns, p) > 0);

/** Without empty visits, then without patients who have none left: what survives PyHealth's long table. */
export function withCodes(columns: VisitColumns): VisitColumns {
  const builder = new VisitColumnsBuilder();
  for (let p = 0; p < patientCount(columns); p++) {
    const visits: Int32Array[] = [];
    const [first, end] = visitRange(columns, p);
    for (let visit = first; visit < end; visit++) {
      const codes = codesOfVisit(columns, visit);
      if (codes.length > 0) visits.push(codes);
    }
    if (visits.length > 0) builder.addPatient(visits, labelsOfPatient(columns, p));
  }
  return builder.build();
}

/** The sentence for a cohort without patients, or undefined when all have some. */
export function tooFewPatients(cohorts: Partial<PrivacyCohorts>, atLeast = 1): string | undefined {
  for (const [name, columns] of Object.entries(cohorts))
    if (patientCount(columns) < atLeast)
      return `the ${name} cohort has ${patientCount(columns)} patients, and this needs at least ${atLeast}`;
  return undefined;
}
