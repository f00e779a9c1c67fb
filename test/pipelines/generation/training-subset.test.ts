import test from 'ava';
import { learnedFrom, subsetSize, trainingSubset } from '../../../pipelines/generation/training-data.ts';
import { patientCount, VisitColumnsBuilder } from '../../../pipelines/patients/visit-columns.ts';
import { cohortName, trainingSize } from '../../../schemas/stages/train.ts';

const builder = new VisitColumnsBuilder();
for (let patient = 0; patient < 40; patient++) builder.addPatient([[patient]], []);
const train = builder.build();
const whoIsIn = (patients: number, seed = 3) => [...trainingSubset(train, patients, seed).codes];

test('a smaller subset is part of a larger one, in the old order, and follows the seed', (t) => {
  const [few, more, all] = [whoIsIn(10), whoIsIn(25), whoIsIn(40)];
  t.is(few.length, 10);
  t.true(few.every((patient) => more.includes(patient)));
  t.deepEqual(
    more,
    [...more].sort((a, b) => a - b),
  );
  t.deepEqual(all, [...train.codes]);
  t.deepEqual(whoIsIn(10), few);
  t.notDeepEqual(whoIsIn(10, 4), few);
  t.notDeepEqual(few, [...train.codes.subarray(0, 10)], 'not simply the first');
});

test('sizes are shares up to 1 and numbers above; too many are refused', (t) => {
  t.is(subsetSize(0.25, 78), 20);
  t.is(subsetSize(0.001, 78), 1);
  t.is(subsetSize(1, 78), 78);
  t.is(subsetSize(50, 78), 50);
  t.throws(() => subsetSize(5000, 78), { name: 'TooFewPatients', message: /5000 patients.*has 78/ });
  for (const size of [0, -1, 1.5, Number.NaN]) t.false(trainingSize.safeParse(size).success, `${size}`);
});

test('cohorts are named after generator and size', (t) => {
  t.is(cohortName('halo'), 'halo');
  t.is(cohortName('halo', 1), 'halo');
  t.is(cohortName('halo', 0.125), 'halo@12.5%');
  t.is(cohortName('halo', 1 / 3), 'halo@33.3333%');
  t.is(cohortName('halo', 5000), 'halo@5000');
});

test('a model of all patients has learned from all', (t) => {
  t.is(learnedFrom({ seed: 3 }, train), train);
  t.is(patientCount(learnedFrom({ seed: 3, subset: { patients: 10 } }, train)), 10);
});
