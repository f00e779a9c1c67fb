import type { CodeTitle, Cohort, ModalityColumns } from '../../../pipelines/patients/cohort-columns.ts';
import type { TokenRules } from '../../../pipelines/tokens/candidate-columns.ts';
import { type Modality, modalities, splits } from '../../../schemas/ehr.ts';

type Visit = Partial<Record<Modality, string[]>>;
/** A patient of a test: split, and codes by modality per visit. */
export interface Person {
  split: (typeof splits)[number];
  visits: Visit[];
}

/** Diagnoses and procedures, every code of the training split. */
export const rules: TokenRules = {
  modalities: ['dx', 'px'],
  minCount: 1,
  unknown: 'drop',
  order: 'frequency',
  labs: 'presence',
  gaps: false,
  buckets: { count: 4, leastPatients: 2, trim: 0 },
  seed: 0,
};

const ofModality = (
  visits: Visit[],
  modality: Modality,
): { columns: ModalityColumns; titles: CodeTitle[] } => {
  const codes = [...new Set(visits.flatMap((visit) => visit[modality] ?? []))].sort();
  const rows = visits.map((visit) =>
    (visit[modality] ?? []).map((code) => codes.indexOf(code)).sort((a, b) => a - b),
  );
  const offsets = Int32Array.from([0, ...rows]);
  rows.forEach((row, i) => {
    offsets[i + 1] = (offsets[i] as number) + row.length;
  });
  return {
    columns: { offsets, indices: Int32Array.from(rows.flat()) },
    titles: codes.map((code) => ({ code })),
  };
};

/** The cohort of these people; every other one has the one label. */
export const cohortOf = (people: Person[]): Cohort => {
  const visits = people.flatMap((person) => person.visits);
  const visitOffsets = new Int32Array(people.length + 1);
  people.forEach((person, i) => {
    visitOffsets[i + 1] = (visitOffsets[i] as number) + person.visits.length;
  });
  const parts = modalities.map((modality) => [modality, ofModality(visits, modality)] as const);
  return {
    subjectIds: Int32Array.from(people, (_, i) => 100 + i),
    hadmIds: Int32Array.from(visits, (_, i) => 1000 + i),
    split: Uint8Array.from(people, ({ split }) => splits.indexOf(split)),
    visitOffsets,
    labelNames: ['even'],
    labels: Uint8Array.from(people, (_, i) => (i + 1) % 2),
    visitLabels: new Uint8Array(visits.length),
    demographics: { age: { kind: 'numeric', values: Float32Array.from(people, (_, i) => i) } },
    visitFacts: {},
    codes: Object.fromEntries(parts.map(([m, { columns }]) => [m, columns])) as Cohort['codes'],
    labValues: new Float32Array(parts[3]?.[1].columns.indices.length ?? 0).fill(Number.NaN),
    dictionary: Object.fromEntries(parts.map(([m, { titles }]) => [m, titles])) as Cohort['dictionary'],
  };
};
