import { readFileSync } from 'node:fs';
import test from 'ava';
import type { Cohort } from '../../../pipelines/patients/cohort-columns.ts';
import { assembleRows } from './event-tables.ts';

const golden = (file: string): string =>
  readFileSync(new URL(`../../fixtures/golden/${file}`, import.meta.url), 'utf8');

interface GoldenCohort {
  code_vocab: string[];
  label_names: string[];
  patients: { subject_id: number; icd9: string[][]; labels: number[] }[];
}
interface GoldenPrevalence {
  labels: { name: string; n_adm: number; n_pat: number }[];
}
const halo: GoldenCohort = JSON.parse(golden('demo_cohort.json'));
const demo = assembleRows('demo');

const ownVisits = (cohort: Cohort, patient: number): number[] => {
  const [first = 0, end = 0] = cohort.visitOffsets.subarray(patient, patient + 2);
  return Array.from({ length: end - first }, (_, i) => first + i);
};

const diagnosesOf = (cohort: Cohort, visit: number): (string | undefined)[] => {
  const { offsets, indices } = cohort.codes.dx;
  return [...indices.subarray(offsets[visit], offsets[visit + 1])].map((i) => cohort.dictionary.dx[i]?.code);
};

const row = (rows: Uint8Array, index: number): number[] => [...rows.subarray(index * 25, (index + 1) * 25)];

test("diagnoses are HALO's: same codes, same visits, same order", async (t) => {
  const { cohort } = await demo;
  t.deepEqual(
    cohort.dictionary.dx.map(({ code }) => code),
    halo.code_vocab,
  );
  t.is(halo.patients.length, cohort.subjectIds.length);
  for (const { subject_id, icd9, labels } of halo.patients) {
    const patient = cohort.subjectIds.indexOf(subject_id);
    t.deepEqual(
      ownVisits(cohort, patient).map((visit) => diagnosesOf(cohort, visit)),
      icd9.map((codes) => codes.toSorted()),
    );
    t.deepEqual(row(cohort.labels, patient), labels);
  }
});

test('every phenotype label is that of the reference, per admission and per patient', async (t) => {
  const { cohort } = await demo;
  const lines = golden('demo_phenotypes.csv').trim().split('\n').slice(1);
  t.is(lines.length, cohort.hadmIds.length);
  for (const line of lines) {
    const [subject = 0, admission = 0, ...cells] = line.split(',').map(Number);
    t.deepEqual(row(cohort.visitLabels, cohort.hadmIds.indexOf(admission)), cells.slice(0, 25));
    t.deepEqual(row(cohort.labels, cohort.subjectIds.indexOf(subject)), cells.slice(25));
  }
});

test('label names and their prevalence are those of the reference', async (t) => {
  const { cohort } = await demo;
  const { labels }: GoldenPrevalence = JSON.parse(golden('demo_phenotype_prevalence.json'));
  t.deepEqual(cohort.labelNames, halo.label_names);
  const sum = (rows: Uint8Array, label: number) =>
    rows.filter((_, i) => i % 25 === label && rows[i] === 1).length;
  t.deepEqual(
    cohort.labelNames.map((name, i) => ({
      name,
      n_adm: sum(cohort.visitLabels, i),
      n_pat: sum(cohort.labels, i),
    })),
    labels.map(({ name, n_adm, n_pat }) => ({ name, n_adm, n_pat })),
  );
});

test('the patient with 15 admissions has them in time order, with gaps', async (t) => {
  const { cohort } = await demo;
  const counts = cohort.subjectIds.map((_, patient) => ownVisits(cohort, patient).length);
  const patient = counts.indexOf(15);
  const visits = ownVisits(cohort, patient);
  const { age, days_since_admission: gap, days_since_discharge: away } = cohort.visitFacts;
  const ages = visits.map((visit) => age?.values[visit] as number);
  t.deepEqual(
    ages,
    ages.toSorted((a, b) => a - b),
  );
  t.true(Number.isNaN(gap?.values[visits[0] as number]));
  for (const visit of visits.slice(1)) {
    const [previous, own] = age?.values.subarray(visit - 1, visit + 1) ?? [];
    t.true(Math.abs(Number(gap?.values[visit]) - (Number(own) - Number(previous)) * 365.2425) < 0.01);
    t.true(Number(away?.values[visit]) < Number(gap?.values[visit]));
  }
});

test('shifted births give the published median age, and no patient is 300', async (t) => {
  const { cohort } = await demo;
  const ages = cohort.visitFacts['age']?.values ?? [];
  t.is(ages.filter((age) => age > 91.4).length, 9);
  t.true(ages.every((age) => age > 17 && age < 92));
});

test('codes without a title stay, and titles name drugs and tests readably', async (t) => {
  const { dictionary } = (await demo).cohort;
  t.is(dictionary.dx.filter(({ title }) => title === undefined).length, 20);
  t.deepEqual(
    dictionary.px.filter(({ title }) => title === undefined).map(({ code }) => code),
    ['3601', '3605', '458'],
  );
  t.is(dictionary.rx.find(({ code }) => code === 'acetazolamide')?.title, 'AcetaZOLamide');
  t.is(dictionary.lab.find(({ code }) => code === '50802')?.title, 'Base Excess (Blood)');
});

test('every source row is accounted for', async (t) => {
  const { cohort, dropped } = await demo;
  t.like(dropped.rows.dx, { rows: 1761, repeated: 0 });
  t.like(dropped.rows.px, { rows: 506, repeated: 20 });
  t.like(dropped.rows.rx, { rows: 10398, otherDrugType: 2617 + 72 });
  t.like(dropped.rows.lab, { rows: 76074, withoutAdmission: 14262 });
  for (const modality of ['dx', 'px', 'rx', 'lab'] as const) {
    const { rows = 0, ...reasons } = dropped.rows[modality] ?? {};
    const lost = Object.values(reasons).reduce((sum, n) => sum + n, 0);
    t.is(rows - lost, cohort.codes[modality].indices.length);
  }
});
