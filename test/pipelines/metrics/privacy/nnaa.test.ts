import test from 'ava';
import { drain } from '../../../../pipelines/kernel/steps.ts';
import { type NnaaForm, nnaa, nnaaForms } from '../../../../pipelines/metrics/privacy/engine/nnaa.ts';
import type { PrivacyCohorts } from '../../../../pipelines/metrics/statistics/samples.ts';
import { columnsOf, type Patient, recordsOf } from '../../../helpers/patients.ts';
import {
  cohortB,
  defectChecks,
  demoTest,
  demoTrain,
  firstHundred,
  haloGolden,
  pyhealthGolden,
  reordered,
  split,
} from './golden-cohorts.ts';

const run = (cohorts: PrivacyCohorts, form: NnaaForm, replicates = 0) =>
  drain(nnaa(cohorts, { form, seed: 3, replicates }));
const near = (actual: number | null, expected: number) => Math.abs((actual ?? NaN) - expected) < 1e-12;

test('published form: every value of the HALO script', (t) => {
  for (const [cohorts, expected] of [
    [firstHundred, haloGolden.nnaa],
    [
      {
        train: columnsOf(demoTrain.slice(0, 20)),
        test: columnsOf(demoTest.slice(0, 20)),
        synthetic: columnsOf(demoTrain.slice(20, 40)),
      },
      haloGolden.nnaa_demo,
    ],
  ] as const) {
    const found = run(cohorts, 'published');
    t.true(near(found.testAccuracy.value, expected.aa_es));
    t.true(near(found.trainAccuracy.value, expected.aa_ts));
    t.true(near(found.loss.value, expected.nnaar));
    t.is(found.loss.n, expected.n);
  }
});

test('PyHealth form: its deterministic values', (t) => {
  const found = run(firstHundred, 'pyhealth');
  const expected = pyhealthGolden.nnaar_first100_deterministic;
  t.true(near(found.loss.value, expected.nnaar[0]));
  t.true(near(found.testAccuracy.value, expected.aa_es[0]));
  t.true(near(found.trainAccuracy.value, expected.aa_ts[0]));
});

test('memorizing: both forms move as measured when copies are planted, ours more', (t) => {
  for (const row of defectChecks.nnaa_memorisation) {
    const copies = row.exact_copies_of_100;
    const patients = [...split.train.slice(0, copies), ...cohortB.slice(300 + copies, 400)];
    const cohorts = { ...firstHundred, synthetic: columnsOf(patients) };
    t.true(near(run(cohorts, 'published').loss.value, row.halo_reference_nnaar), `${copies} published`);
    const ours = row['leave_one_out_symmetric_nnaar (mine)'];
    t.true(near(run(cohorts, 'corrected').loss.value, ours), `${copies} corrected`);
  }
});

/**
 * Stars: every training leaf is nearest to a hub, and no hub is nearest to a leaf, so that a copied leaf is
 * seen by the leaf itself and by nobody else. Codes 0–19 are the hub, each leaf or synthetic adds four own.
 */
function stars(n: number, copied: number): PrivacyCohorts {
  const hub = Array.from({ length: 20 }, (_, code) => code);
  const spoke = (i: number) => [[...hub, ...[0, 1, 2, 3].map((c) => 100 + 4 * i + c)]];
  const leaves = Array.from({ length: n - 2 }, (_, i) => spoke(i));
  const far = Array.from({ length: 20 }, (_, code) => 50 + code);
  return {
    train: recordsOf([[hub], [[...hub, 30, 31]], ...leaves]),
    test: recordsOf(Array.from({ length: n }, (_, i) => [[...far, 5000 + i]])),
    synthetic: recordsOf(
      Array.from({ length: n }, (_, i) => (i < copied ? (leaves[i] ?? []) : spoke(n + i))),
    ),
  };
}

test('planted copies: the corrected loss rises by exactly half the copied share, the published one by nothing', (t) => {
  const n = 40;
  const before = { corrected: 0, published: 0 };
  for (const copied of [0, 1, 8, 20, 38])
    for (const form of ['corrected', 'published'] as const) {
      const loss = run(stars(n, copied), form).loss.value ?? NaN;
      if (copied === 0) before[form] = loss;
      t.true(near(loss - before[form], form === 'corrected' ? copied / (2 * n) : 0), `${form} ${copied}`);
    }
});

test('a verbatim copier has train accuracy 0; equal cohorts have no loss', (t) => {
  const copier = run({ ...firstHundred, synthetic: firstHundred.train }, 'corrected');
  t.is(copier.trainAccuracy.value, 0);
  t.is(copier.loss.value, copier.testAccuracy.value);
  const same = run({ ...firstHundred, test: firstHundred.train }, 'corrected');
  t.is(same.loss.value, 0);
});

test('the order of patients does not matter', (t) => {
  const shuffled = (patients: Patient[]) => columnsOf(reordered(patients.slice(0, 100)));
  const other = {
    train: shuffled(split.train),
    test: shuffled(split.test),
    synthetic: shuffled(split.synthetic),
  };
  for (const form of nnaaForms) t.is(run(other, form).loss.value, run(firstHundred, form).loss.value);
});

test('unequal cohorts are cut to one size by the seed; intervals repeat', (t) => {
  const all = {
    train: columnsOf(split.train),
    test: columnsOf(split.test),
    synthetic: columnsOf(split.synthetic),
  };
  const first = drain(nnaa(all, { form: 'corrected', seed: 5, replicates: 200, size: 60 }));
  const again = drain(nnaa(all, { form: 'corrected', seed: 5, replicates: 200, size: 60 }));
  t.deepEqual(again, first);
  t.is(first.loss.n, 60);
  const [low, high] = first.loss.interval ?? [NaN, NaN];
  t.true(low < (first.loss.value ?? NaN) && (first.loss.value ?? NaN) < high);
});

test('too few patients give a sentence', (t) => {
  const one = { ...firstHundred, synthetic: columnsOf(split.synthetic.slice(0, 1)) };
  const found = run(one, 'corrected', 100);
  t.is(found.loss.value, null);
  t.regex(found.loss.note ?? '', /has 1 patients, and this needs at least 2/);
  const empty = { ...firstHundred, synthetic: recordsOf([[], []]) };
  t.is(run(empty, 'pyhealth').loss.value, null);
  t.is(run(empty, 'published').loss.value, null);
  t.is(typeof run(empty, 'corrected').loss.value, 'number');
});
