import test from 'ava';
import { drain } from '../../../../pipelines/kernel/steps.ts';
import {
  type AttributeOptions,
  attributeInference,
  inferenceRisk,
} from '../../../../pipelines/metrics/privacy/engine/attribute-inference.ts';
import type { PrivacyCohorts } from '../../../../pipelines/metrics/statistics/samples.ts';
import { columnsOf, recordsOf } from '../../../helpers/patients.ts';
import { demoTest, demoTrain, firstHundred, haloGolden, reordered, split } from './golden-cohorts.ts';

const infer = (cohorts: PrivacyCohorts, options: Partial<AttributeOptions> = {}) =>
  drain(attributeInference(cohorts, { seed: 1, replicates: 0, ...options }));
const near = (actual: number | null, expected: number) => Math.abs((actual ?? NaN) - expected) < 1e-12;

test('the published attack: every F1 of the HALO script', (t) => {
  for (const [name, expected] of Object.entries<{ attack_f1: number; baseline_f1: number }>(
    haloGolden.attribute,
  )) {
    if (!name.startsWith('K')) continue;
    const found = infer(firstHundred, { neighbors: Number(name.slice(1)), ties: 'order' });
    t.true(near(found.attack.value, expected.attack_f1), `${name} attack`);
    t.true(near(found.reference.value, expected.baseline_f1), `${name} reference`);
  }
  const demo = {
    train: columnsOf(demoTrain.slice(0, 20)),
    test: columnsOf(demoTest.slice(0, 20)),
    synthetic: columnsOf(demoTrain.slice(20, 40)),
  };
  // Among equally common codes the script takes what a Python set yields first: the list is given instead.
  const { common_codes, attack_f1, baseline_f1 } = haloGolden.attribute_demo.K1;
  const found = infer(demo, { knownCodes: common_codes, ties: 'order' });
  t.true(near(found.attack.value, attack_f1));
  t.true(near(found.reference.value, baseline_f1));
});

const known = [0, 1, 2];
const cohorts = (train: number[][][], synthetic: number[][][], other: number[][][]): PrivacyCohorts => ({
  train: recordsOf(train),
  test: recordsOf(other),
  synthetic: recordsOf(synthetic),
});

test('by hand: one guess right, one wrong, one missed', (t) => {
  // Nearest on codes 0–2 is the first synthetic patient: it says 10 and 12, the truth is 10 and 11.
  const found = infer(
    cohorts(
      [
        [
          [0, 1],
          [10, 11],
        ],
      ],
      [[[0, 1, 10, 12]]],
      [[[2, 50]]],
    ),
    { knownCodes: known },
  );
  t.is(found.attack.value, (2 * 1) / (2 + 2));
  t.is(found.reference.value, 0);
  t.is(found.excess.value, 0.5);
});

test('equally near patients share the vote, so rows can be in any order', (t) => {
  const tied = [[[0, 10]], [[0, 11]], [[0, 10, 12]]];
  const train = [[[0, 10]], [[0, 12]], [[0, 11]]];
  for (const synthetic of [tied, tied.toReversed()]) {
    // Two of three have 10; nothing else has a majority. Right once; guessed three times; three to find.
    t.is(infer(cohorts(train, synthetic, tied), { knownCodes: known }).attack.value, 2 / 6);
  }
  const ordered = infer(cohorts(train, tied, tied), { knownCodes: known, ties: 'order' });
  t.is(ordered.attack.value, 2 / 6);
  const reversed = infer(cohorts(train, tied.toReversed(), tied), { knownCodes: known, ties: 'order' });
  t.is(reversed.attack.value, (2 * 2) / (6 + 3));
  const straight = infer(firstHundred, { neighbors: 3 });
  const other = infer(
    {
      train: columnsOf(reordered(split.train.slice(0, 100))),
      test: columnsOf(reordered(split.test)),
      synthetic: columnsOf(reordered(split.synthetic.slice(0, 100))),
    },
    { neighbors: 3 },
  );
  t.deepEqual(other, straight);
});

test('a copier gives everything away; the interval repeats', (t) => {
  const copier = { ...firstHundred, synthetic: firstHundred.train };
  const found = infer(copier, { knownCodes: 60, replicates: 100 });
  t.true((found.attack.value ?? 0) > 0.9);
  t.true((found.excess.interval?.[0] ?? 0) > 0.5);
  t.deepEqual(infer(copier, { knownCodes: 60, replicates: 100 }), found);
});

test('no hidden code and no patient give sentences', (t) => {
  const nothing = infer(cohorts([[[0]]], [[[1]]], [[[2]]]), { knownCodes: known });
  t.regex(nothing.attack.note ?? '', /no patient has a code beyond the known ones/);
  t.is(nothing.excess.value, null);
  const empty = infer({ ...firstHundred, synthetic: recordsOf([[], []]) });
  t.regex(empty.attack.note ?? '', /synthetic cohort has 0 patients/);
});

test('the interval counts that other synthetic patients would have guessed otherwise', (t) => {
  const alike = (codes: number[], count: number) => Array.from({ length: count }, () => [codes]);
  // All targets ask the same one synthetic patient, who is right; the next nearest is wrong.
  const one = cohorts(alike([0, 1, 10], 30), [[[0, 1, 10]], [[0, 11]], [[12]]], alike([2, 20], 30));
  const many = { ...one, synthetic: recordsOf([...alike([0, 1, 10], 3), [[0, 11]], [[12]]]) };
  const options = { seed: 1, replicates: 50, knownCodes: known };
  const [few, sure] = [one, many].map((all) => drain(inferenceRisk(all, options)).attack);
  t.is(few?.value, 1);
  t.deepEqual(few?.interval, [0, 1], 'without that patient nothing is right');
  t.is(sure?.value, 1);
  t.deepEqual(sure?.interval, [1, 1], 'without one of three nothing changes');
});
