import test from 'ava';
import { assembleRows, type EventRows } from './event-tables.ts';

const patient = (subject_id: number, birth_time = '2100-01-01 00:00:00') => ({
  subject_id,
  sex: 'F',
  birth_time,
});
const admission = (subject_id: number, hadm_id: number, admit_time: string, discharge_time = admit_time) => ({
  subject_id,
  hadm_id,
  admit_time,
  discharge_time,
  admission_type: 'URGENT',
  died_in_hospital: false,
});
const diagnosis = (subject_id: number, hadm_id: number, code: string) => ({ subject_id, hadm_id, code });

/** Patients 1 … n with one admission (id + 1000) and one diagnosis each. */
const crowd = (subjects: number[]): EventRows => ({
  patients: subjects.map((id) => patient(id)),
  admissions: subjects.map((id) => admission(id, id + 1000, '2150-01-01 10:00:00')),
  diagnoses: subjects.map((id) => diagnosis(id, id + 1000, '4019')),
});
const shares = { validation: 0.2, holdout: 0.3 };

test('the split of a patient does not depend on who else is there', async (t) => {
  const subjects = Array.from({ length: 60 }, (_, i) => i * 7 + 1);
  const all = (await assembleRows(crowd(subjects), { split: shares })).cohort;
  const splitIn = new Map([...all.subjectIds].map((id, i) => [id, all.split[i]]));
  const some = (await assembleRows(crowd(subjects.filter((_, i) => i % 3 > 0)), { split: shares })).cohort;
  t.is(some.subjectIds.length, 40);
  some.subjectIds.forEach((id, i) => {
    t.is(some.split[i], splitIn.get(id));
  });
});

test('another seed gives another split, the same seed the same bytes of it', async (t) => {
  const rows = crowd(Array.from({ length: 60 }, (_, i) => i));
  const [one, same, other] = await Promise.all(
    [5, 5, 6].map(async (seed) => (await assembleRows(rows, { split: shares, seed })).cohort.split),
  );
  t.deepEqual(one, same);
  t.notDeepEqual(one, other);
});

test('one patient is a cohort, but not one with a holdout', async (t) => {
  const { cohort, splits } = await assembleRows(crowd([7]));
  t.deepEqual([...cohort.visitOffsets], [0, 1]);
  t.deepEqual(splits, { train: 1, validation: 0, holdout: 0 });
  const error = await t.throwsAsync(
    assembleRows(crowd([7]), { split: { validation: 0, holdout: 1 - 1e-9 } }),
  );
  t.is(error?.name, 'TooFewPatients');
  t.regex(error?.message ?? '', /the train split is empty: 1 patients in all/);
});

test('no patients at all is TooFewPatients', async (t) => {
  await t.throwsAsync(assembleRows({}), {
    name: 'TooFewPatients',
    message: /train split is empty: 0 patients/,
  });
});

test('visits go by admission, then discharge, then hadm_id, whatever the order of rows', async (t) => {
  const [early, late] = ['2150-01-01 00:00:00', '2150-03-01 00:00:00'];
  const { cohort } = await assembleRows({
    patients: [patient(2), patient(1)],
    admissions: [
      admission(1, 50, late, '2150-03-09 00:00:00'),
      admission(2, 10, early),
      admission(1, 40, late, '2150-03-02 00:00:00'),
      admission(1, 31, early),
      admission(1, 30, early),
    ],
    diagnoses: [50, 40, 31, 30].map((id) => diagnosis(1, id, '4019')).concat(diagnosis(2, 10, '4280')),
  });
  t.deepEqual([...cohort.subjectIds], [1, 2]);
  t.deepEqual([...cohort.hadmIds], [30, 31, 40, 50, 10]);
  t.deepEqual([...cohort.visitOffsets], [0, 4, 5]);
  t.deepEqual(
    [...(cohort.visitFacts['days_since_admission']?.values ?? [])],
    [Number.NaN, 0, 59, 0, Number.NaN],
  );
  t.deepEqual(
    [...(cohort.visitFacts['days_since_discharge']?.values ?? [])],
    [Number.NaN, 0, 59, -1, Number.NaN],
  );
});

test('visits and patients without any code are left out and counted', async (t) => {
  const day = '2150-01-01 00:00:00';
  const { cohort, dropped } = await assembleRows({
    patients: [patient(1), patient(2), patient(3)],
    admissions: [admission(1, 10, day), admission(1, 11, day), admission(2, 20, day)],
    labs: [{ subject_id: 1, hadm_id: 11, item_id: 50800 }],
    prescriptions: [{ subject_id: 2, hadm_id: 20, drug: 'D5W', drug_type: 'BASE' }],
  });
  t.deepEqual([...cohort.hadmIds], [11]);
  t.deepEqual(dropped.patients, { noVisits: 2, tooFewVisits: 0, tooYoung: 0 });
  t.deepEqual(dropped.visits, { unknownPatient: 0, noCodes: 2, patientLeftOut: 0 });
  t.like(dropped.rows.rx, { rows: 1, otherDrugType: 1 });
});

test('minVisits and minAge leave patients out by what they had at the first kept visit', async (t) => {
  const rows: EventRows = {
    patients: [patient(1), patient(2, '2140-01-01 00:00:00'), patient(3), { subject_id: 4 }],
    admissions: [1, 2, 4].flatMap((id) => [
      admission(id, id * 10, '2150-01-01 00:00:00'),
      admission(id, id * 10 + 1, '2170-01-01 00:00:00'),
    ]),
    diagnoses: [1, 2, 4].flatMap((id) => [
      diagnosis(id, id * 10, '4019'),
      diagnosis(id, id * 10 + 1, '4019'),
    ]),
  };
  rows.admissions?.push(admission(3, 30, '2150-01-01 00:00:00'));
  rows.diagnoses?.push(diagnosis(3, 30, '4019'));
  const { cohort, dropped } = await assembleRows(rows, { minVisits: 2, minAge: 18 });
  t.deepEqual([...cohort.subjectIds], [1]);
  t.deepEqual(dropped.patients, { noVisits: 0, tooFewVisits: 1, tooYoung: 2 });
  t.is(dropped.visits['patientLeftOut'], 5);
});

test('a code counts once per visit, and spellings of one drug are one drug', async (t) => {
  const drug = (text: string) => ({ subject_id: 1, hadm_id: 10, drug: text, drug_type: 'MAIN' });
  const { cohort, dropped } = await assembleRows({
    patients: [patient(1)],
    admissions: [admission(1, 10, '2150-01-01 00:00:00')],
    diagnoses: [
      diagnosis(1, 10, '0380'),
      diagnosis(1, 10, '0380'),
      diagnosis(2, 10, '4019'),
      diagnosis(1, 99, '1'),
    ],
    procedures: [diagnosis(1, 10, '0380')],
    prescriptions: [
      drug('Aspirin  EC'),
      drug('ASPIRIN ec'),
      drug('ASPIRIN ec'),
      { subject_id: 1, hadm_id: 10 },
    ],
  });
  t.deepEqual(cohort.dictionary.dx, [{ code: '0380' }]);
  t.deepEqual(cohort.dictionary.px, [{ code: '0380' }]);
  t.deepEqual(cohort.dictionary.rx, [{ code: 'aspirin ec', title: 'ASPIRIN ec' }]);
  t.like(dropped.rows.dx, { rows: 4, repeated: 1, withoutAdmission: 2 });
  t.like(dropped.rows.rx, { rows: 4, repeated: 2, otherDrugType: 1 });
});

test('what the source does not say is unknown, not zero', async (t) => {
  const { cohort } = await assembleRows({
    patients: [{ subject_id: 1 }, patient(2, '2151-01-01 00:00:00')],
    admissions: [
      { subject_id: 1, hadm_id: 10 },
      { subject_id: 2, hadm_id: 20, admit_time: '2150-01-01 00:00:00' },
    ],
    diagnoses: [diagnosis(1, 10, '4019'), diagnosis(2, 20, '4019')],
  });
  t.deepEqual([...(cohort.demographics['age']?.values ?? [])], [Number.NaN, Number.NaN]);
  t.deepEqual(cohort.demographics['sex'], {
    kind: 'categorical',
    levels: ['F'],
    values: Int32Array.of(-1, 0),
  });
  t.deepEqual([...(cohort.visitFacts['died_in_hospital']?.values ?? [])], [Number.NaN, Number.NaN]);
});
