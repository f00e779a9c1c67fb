import { readFileSync } from 'node:fs';
import type { PrivacyCohorts } from '../../../../pipelines/metrics/statistics/samples.ts';
import { columnsOf, type Patient } from '../../../helpers/patients.ts';

const golden = (file: string) =>
  JSON.parse(readFileSync(new URL(`../../../fixtures/golden/${file}`, import.meta.url), 'utf8'));

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
  train: columnsOf(split.train.slice(0, 100)),
  test: columnsOf(split.test.slice(0, 100)),
  synthetic: columnsOf(split.synthetic.slice(0, 100)),
};

/** A permutation of a list that depends on nothing: every third element, then the rest backwards. */
export const reordered = <T>(list: readonly T[]): T[] => [
  ...list.filter((_, i) => i % 3 === 0),
  ...list.filter((_, i) => i % 3 !== 0).reverse(),
];
