import test from 'ava';
import { structuredCohort } from '../../../bench/structured-cohort.ts';
import { notStrangers, sharedPatients } from '../../../pipelines/metrics/shared-patients.ts';
import {
  patientCount,
  selectPatients,
  type VisitColumns,
} from '../../../pipelines/patients/visit-columns.ts';
import { noPatients, recordsOf } from '../../helpers/patients.ts';

const upTo = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);
const first = (columns: VisitColumns, n: number) => selectPatients(columns, upTo(n));
/** The patients of one cohort and then those of another. */
const together = (a: VisitColumns, b: VisitColumns) =>
  recordsOf(
    [a, b].flatMap((columns) =>
      upTo(patientCount(columns)).map((p) =>
        upTo((columns.visitOffsets[p + 1] as number) - (columns.visitOffsets[p] as number)).map((v) => {
          const visit = (columns.visitOffsets[p] as number) + v;
          return [...columns.codes.subarray(columns.codeOffsets[visit], columns.codeOffsets[visit + 1])];
        }),
      ),
    ),
  );

const [train, holdout, synthetic] = [1, 2, 3].map((seed) => structuredCohort(400, seed)) as [
  VisitColumns,
  VisitColumns,
  VisitColumns,
];

test('sides of different people are strangers, though some records coincide', (t) => {
  const shared = sharedPatients(train, holdout, synthetic, 0);
  t.false(shared?.isInTraining);
  t.false(shared?.isInSynthetic);
  t.is(notStrangers(shared), undefined);
  // Where every patient has one of three records, all have twins, and it shows nothing.
  const few = (n: number) => recordsOf(upTo(n).map((i) => [[i % 3]]));
  const common = sharedPatients(few(90), few(60), few(90), 0);
  t.deepEqual([common?.holdoutInTraining, common?.of, common?.byChance], [60, 60, 60]);
  t.is(notStrangers(common), undefined);
});

test('a holdout that is the training set, or a twentieth of it, is found by content, in whatever order', (t) => {
  const turned = selectPatients(train, upTo(400).reverse());
  t.true(sharedPatients(train, turned, train, 0)?.isInTraining);
  t.regex(
    notStrangers(sharedPatients(train, turned, train, 0)) ?? '',
    /^400 of 400 patients .* \S+ by chance/,
  );
  const mixed = together(first(holdout, 380), first(train, 20));
  const shared = sharedPatients(train, mixed, synthetic, 0);
  t.true(shared?.isInTraining, JSON.stringify(shared));
});

test('a generator that repeats holdout patients has seen them; one that repeats training patients has not', (t) => {
  t.true(sharedPatients(train, holdout, holdout, 0)?.isInSynthetic);
  t.regex(notStrangers(sharedPatients(train, holdout, holdout, 0)) ?? '', /the generator has seen them/);
  t.is(notStrangers(sharedPatients(train, holdout, train, 0)), undefined);
});

test('counts of few people are not written, and no people are no finding', (t) => {
  const mixed = together(first(holdout, 395), first(train, 5));
  t.is(sharedPatients(train, mixed, synthetic, 11)?.holdoutInTraining, null);
  t.is(sharedPatients(train, noPatients, synthetic, 0), undefined);
  t.is(notStrangers(undefined), undefined);
});
