import test from 'ava';
import { setAside } from '../../../../pipelines/exchange/evaluate/set-aside.ts';
import {
  patientCount,
  selectPatients,
  VisitColumnsBuilder,
} from '../../../../pipelines/patients/visit-columns.ts';

const cohort = (patients: number) => {
  const builder = new VisitColumnsBuilder();
  for (let p = 0; p < patients; p++) builder.addPatient([[p, 1000 + p]], [p % 2]);
  return builder.build();
};
const found = (columns: ReturnType<typeof cohort>) => [...columns.codes].filter((code) => code < 1000);

test('one in ten is set aside, and everybody is on one side', (t) => {
  const { train, validation } = setAside(cohort(41), 0) ?? t.fail();
  t.is(patientCount(validation), 5);
  t.is(patientCount(train), 36);
  t.deepEqual(
    [...found(train), ...found(validation)].sort((a, b) => a - b),
    Array.from({ length: 41 }, (_, p) => p),
  );
});

test('seed and content decide who, not the order', (t) => {
  const backwards = selectPatients(
    cohort(41),
    Array.from({ length: 41 }, (_, p) => 40 - p),
  );
  t.deepEqual(setAside(backwards, 3), setAside(cohort(41), 3));
  t.notDeepEqual(setAside(cohort(41), 4), setAside(cohort(41), 3));
});

test('a single patient stays where it is', (t) => {
  t.is(setAside(cohort(1), 0), undefined);
  t.is(setAside(cohort(0), 0), undefined);
});
