import { readFileSync } from 'node:fs';
import type { PrivacyCohorts } from '../../../../pipelines/metrics/statistics/samples.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../../../../pipelines/patients/visit-columns.ts';

export interface Patient {
  visits: number[][];
  labels: number[];
}

const golden = (file: string) =>
  JSON.parse(readFileSync(new URL(`../../../fixtures/golden/${file}`, import.meta.url), 'utf8'));

export const toColumns = (patients: readonly Patient[]): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  for (const { visits, labels } of patients) builder.addPatient(visits, labels);
  return builder.build();
};

/** Patients without labels: one list of visits each. */
export const unlabeled = (visits: readonly (readonly number[])[][]): VisitColumns =>
  toColumns(visits.map((v) => ({ visits: v.map((codes) => [...codes]), labels: [] })));

export const split = golden('split.json') as Record<'train' | 'test' | 'synthetic', Patient[]>;
export const cohortB = golden('cohort_b.json') as Patient[];
export const haloGolden = golden('golden_privacy_halo.json');
export const pyhealthGolden = golden('golden_pyhealth.json');
export const defectChecks = golden('reference_defect_checks.json');

const demo = golden('demo_cohort.json') as {
  patients: (Patient & { subject_id: number })[];
  split_order: Record<'train' | 'test', number[]>;
};
const demoPatients = (part: 'train' | 'test'): Patient[] =>
  demo.split_order[part].map(
    (id) => demo.patients.find((patient) => patient.subject_id === id) ?? { visits: [], labels: [] },
  );
export const demoTrain = demoPatients('train');
export const demoTest = demoPatients('test');

/** The first hundred of each part, as the golden values take them (index 299 is the one empty record). */
export const firstHundred: PrivacyCohorts = {
  train: toColumns(split.train.slice(0, 100)),
  test: toColumns(split.test.slice(0, 100)),
  synthetic: toColumns(split.synthetic.slice(0, 100)),
};

/** A permutation of a list that depends on nothing: every third element, then the rest backwards. */
export const reordered = <T>(list: readonly T[]): T[] => [
  ...list.filter((_, i) => i % 3 === 0),
  ...list.filter((_, i) => i % 3 !== 0).reverse(),
];
