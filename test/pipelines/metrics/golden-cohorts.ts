import { readFileSync } from 'node:fs';
import type { MetricInput } from '../../../pipelines/metrics/metric.ts';
import type { VisitColumns } from '../../../pipelines/patients/visit-columns.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { noPatients } from '../../helpers/patients.ts';

export interface Patient {
  visits: number[][];
  labels: number[];
}

export const golden = <T>(file: string): T =>
  JSON.parse(readFileSync(new URL(`../../fixtures/golden/${file}`, import.meta.url), 'utf8')) as T;

/** Columns exactly as written: unlike `columnsOf` of test/helpers it keeps repeated codes, which a golden case has. */
export const columnsAsWritten = (patients: readonly Patient[]): VisitColumns => {
  const visits = patients.flatMap((patient) => patient.visits);
  const offsets = (lengths: number[]) => {
    let end = 0;
    return Int32Array.from([0, ...lengths.map((length) => (end += length))]);
  };
  return {
    visitOffsets: offsets(patients.map((patient) => patient.visits.length)),
    codeOffsets: offsets(visits.map((visit) => visit.length)),
    codes: Int32Array.from(visits.flat()),
    labels: Uint8Array.from(patients.flatMap((patient) => patient.labels)),
  };
};

/** Diagnoses that few patients of the conformance cohort have both of, as codes of men and of women. */
const sexed: Record<number, string> = { 8: '60000', 13: 'V270' };

/** Frequent codes are diagnoses; among the others there are procedures and drugs, but no lab tests. */
export const vocabularyOf = (codes: number, labels: number): Vocabulary => ({
  codes: Array.from({ length: codes }, (_, i) => ({
    modality: i < 20 ? 'dx' : ((['px', 'rx', 'dx'] as const)[i % 3] ?? 'dx'),
    code: sexed[i] ?? String(800 + i),
  })),
  labels: Array.from({ length: labels }, (_, i) => `L${i}`),
});

/** What a metric is given that compares two cohorts; no other patients, no resampling. */
export const comparing = (
  real: readonly Patient[],
  synthetic: readonly Patient[],
  codes: number,
  labels: number,
): MetricInput => ({
  vocabulary: vocabularyOf(codes, labels),
  train: columnsAsWritten(real),
  validation: noPatients,
  holdout: noPatients,
  synthetic: columnsAsWritten(synthetic),
  rows: [],
  options: {},
  seed: 0,
  replicates: 0,
});

interface Cohorts {
  real: Patient[];
  synthetic: Patient[];
}

const split = golden<Record<'train' | 'test' | 'synthetic', Patient[]>>('split.json');
const a = golden<Patient[]>('cohort_a.json');
const b = golden<Patient[]>('cohort_b.json');
const demo = golden<{ patients: (Patient & { split: string })[] }>('demo_cohort.json').patients;

/** The one case whose cohorts the fixtures lack: they follow from its tables and aggregates. */
const edge: Cohorts = {
  real: [
    {
      visits: [
        [1, 2],
        [2, 3],
      ],
      labels: [1, 0, 0, 0, 0],
    },
    { visits: [[2, 3, 4], []], labels: [1, 1, 0, 0, 0] },
    { visits: [[1]], labels: [0, 0, 0, 0, 0] },
  ],
  synthetic: [
    {
      visits: [
        [1, 1, 2],
        [2, 3],
      ],
      labels: [1, 0, 0, 0, 0],
    },
    { visits: [[1, 2], [3], [3]], labels: [1, 0, 0, 0, 0] },
    { visits: [[4]], labels: [0, 0, 0, 0, 1] },
  ],
};

/** The cohorts behind each case of golden_similarity.json. */
export const cases: Record<string, Cohorts> = {
  split_train_vs_synthetic: { real: split.train, synthetic: split.synthetic },
  split_train_vs_test: { real: split.train, synthetic: split.test },
  cohort_a_vs_b: { real: a, synthetic: b },
  mini_a40_vs_b40_full_tables: { real: a.slice(0, 40), synthetic: b.slice(0, 40) },
  demo_train_vs_test: {
    real: demo.filter((patient) => patient.split === 'train'),
    synthetic: demo.filter((patient) => patient.split === 'test'),
  },
  edge_duplicates_and_empty_visits: edge,
};
