import test from 'ava';
import { drain } from '../../../../pipelines/kernel/steps.ts';
import { scoreAttack } from '../../../../pipelines/metrics/privacy/engine/attack-scores.ts';
import { densityRatioAttack } from '../../../../pipelines/metrics/privacy/engine/density-ratio.ts';
import {
  datasetAttack,
  datasetAttackScores,
} from '../../../../pipelines/metrics/privacy/engine/membership.ts';
import { type Distance, distances } from '../../../../pipelines/metrics/statistics/distance-rows.ts';
import type { PrivacyCohorts } from '../../../../pipelines/metrics/statistics/samples.ts';
import { selectPatients } from '../../../../pipelines/patients/visit-columns.ts';
import { columnsOf, recordsOf } from '../../../helpers/patients.ts';
import {
  cohortB,
  demoTest,
  demoTrain,
  firstHundred,
  haloGolden,
  pyhealthGolden,
  reordered,
  split,
} from './golden-cohorts.ts';

const everyone = {
  train: columnsOf(split.train),
  test: columnsOf(split.test),
  synthetic: columnsOf(split.synthetic),
};
const attack = (cohorts: PrivacyCohorts, distance: Distance = 'hamming', seed = 1) =>
  drain(datasetAttack(cohorts, { distance, seed, replicates: 0 }));
const density = (cohorts: PrivacyCohorts, seed = 1) =>
  drain(densityRatioAttack(cohorts, { seed, replicates: 0 }));

test('dataset attack, HALO: distances and every number at the median', (t) => {
  for (const [cohorts, expected] of [
    [{ ...firstHundred, synthetic: everyone.synthetic }, haloGolden.membership_hamming],
    [
      {
        train: columnsOf(demoTrain.slice(0, 20)),
        test: columnsOf(demoTest.slice(0, 20)),
        synthetic: columnsOf(demoTrain.slice(20)),
      },
      haloGolden.membership_hamming_demo,
    ],
  ] as const) {
    const filtered = {
      ...cohorts,
      synthetic: selectPatients(cohorts.synthetic, withVisitsOf(cohorts.synthetic)),
    };
    const { members, nonMembers } = drain(datasetAttackScores(filtered, 'halo'));
    t.deepEqual(
      [...members, ...nonMembers].map((score) => -score),
      expected.distances,
    );
    const { atMedian } = attack(cohorts, 'halo');
    t.is(atMedian.accuracy.value, expected.results.Accuracy);
    t.is(atMedian.precision.value, expected.results.Precision);
    t.is(atMedian.recall.value, expected.results.Recall);
    t.true(Math.abs((atMedian.f1.value ?? NaN) - expected.results.F1) < 1e-12);
  }
});

const withVisitsOf = ({ visitOffsets }: PrivacyCohorts['synthetic']) =>
  [...visitOffsets.keys()].filter((p) => (visitOffsets[p + 1] ?? 0) > (visitOffsets[p] ?? 0));

test('dataset attack, PyHealth: its numbers on its own draw', (t) => {
  const { result, member_indices, nonmember_indices } = pyhealthGolden.mia_first100_seed0;
  const cohorts = {
    ...firstHundred,
    train: selectPatients(firstHundred.train, member_indices),
    test: selectPatients(firstHundred.test, nonmember_indices),
  };
  const { atMedian } = attack(cohorts, 'codes');
  t.true(Math.abs((atMedian.f1.value ?? NaN) - result.MIA_F1[0]) < 1e-12);
  t.is(atMedian.precision.value, result.MIA_Precision[0]);
  t.is(atMedian.recall.value, result.MIA_Recall[0]);
  t.is(atMedian.accuracy.value, result.MIA_Accuracy[0]);
});

test('model attack: scores are log-likelihoods', (t) => {
  const found = scoreAttack(
    { members: Float64Array.of(-10, -12, -30), nonMembers: Float64Array.of(-20, -25, -31) },
    { seed: 1, replicates: 0 },
  );
  t.is(found.auc.value, (3 + 3 + 1) / 9);
  t.is(found.atMedian.recall.value, 2 / 3);
});

test('a verbatim copier is identified without a false positive, by both attacks', (t) => {
  const copier = { ...everyone, synthetic: everyone.train };
  const found = attack(copier);
  t.is(found.auc.value, 1);
  t.deepEqual(
    found.truePositiveRates.map(({ value }) => value),
    [1, 1, 1],
  );
  t.true((density(copier).auc.value ?? 0) > 0.98);
});

test('planted copies are found by exactly as many as are planted', (t) => {
  // A hundred members far from everybody; the synthetic cohort holds twelve of them and strangers.
  const person = (i: number) => [[10 * i, 10 * i + 1, 10 * i + 2]];
  const people = (from: number, count: number) => Array.from({ length: count }, (_, i) => person(from + i));
  const cohorts = {
    train: recordsOf(people(0, 100)),
    test: recordsOf(people(100, 100)),
    synthetic: recordsOf([...people(0, 12), ...people(300, 88)]),
  };
  const found = attack(cohorts);
  t.deepEqual(
    found.truePositiveRates.map(({ value }) => value),
    [0.12, 0.12, 0.12],
  );
  t.is(found.auc.value, 0.12 + 0.88 / 2);
  const ratio = density(cohorts);
  t.is(ratio.truePositiveRates[0]?.value, 0.12);
});

test('a generator that saw no training patient is near one half, over seeds', (t) => {
  const cohorts = { ...everyone, synthetic: columnsOf(cohortB) };
  const mean = (one: (seed: number) => number | null) =>
    [1, 2, 3, 4, 5, 6, 7, 8].reduce((sum, seed) => sum + (one(seed) ?? NaN), 0) / 8;
  t.true(Math.abs(mean((seed) => attack(cohorts, 'hamming', seed).auc.value) - 0.5) < 0.05);
  t.true(Math.abs(mean((seed) => density(cohorts, seed).auc.value) - 0.5) < 0.08);
});

test('the order of patients does not matter where all are attacked', (t) => {
  const shuffled = {
    train: columnsOf(reordered(split.train.slice(0, 100))),
    test: columnsOf(reordered(split.test)),
    synthetic: columnsOf(reordered(split.synthetic)),
  };
  const straight = { ...everyone, train: firstHundred.train };
  for (const distance of distances) {
    const { auc, atMedian, curve } = attack(straight, distance);
    const other = attack(shuffled, distance);
    t.deepEqual([other.auc, other.atMedian, other.curve], [auc, atMedian, curve]);
  }
});

test('no one to attack or to compare with gives a sentence', (t) => {
  const none = recordsOf([]);
  t.regex(attack({ ...everyone, synthetic: none }).auc.note ?? '', /synthetic cohort has 0 patients/);
  t.regex(attack({ ...everyone, test: none }, 'codes').atBest.f1.note ?? '', /test cohort has 0 patients/);
});
