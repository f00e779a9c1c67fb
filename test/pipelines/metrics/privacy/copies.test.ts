import test from 'ava';
import { drain } from '../../../../pipelines/kernel/steps.ts';
import { type CopyOptions, copies } from '../../../../pipelines/metrics/privacy/engine/copies.ts';
import {
  type IdentityOptions,
  identityDisclosure,
  identityRiskThreshold,
} from '../../../../pipelines/metrics/privacy/engine/identity-disclosure.ts';
import { certainShareInterval } from '../../../../pipelines/metrics/statistics/bootstrap.ts';
import type { PrivacyCohorts } from '../../../../pipelines/metrics/statistics/samples.ts';
import { columnsOf, recordsOf } from '../../../helpers/patients.ts';
import { firstHundred, reordered, split } from './golden-cohorts.ts';

const count = (cohorts: PrivacyCohorts, options: Partial<CopyOptions> = {}) =>
  drain(copies(cohorts, { seed: 1, replicates: 0, ...options }));
const identity = (cohorts: PrivacyCohorts, options: Partial<IdentityOptions> = {}) =>
  drain(identityDisclosure(cohorts, { seed: 1, replicates: 0, ...options }));

const all = {
  train: columnsOf(split.train),
  test: columnsOf(split.test),
  synthetic: columnsOf(split.synthetic),
};

test('the fixture holds twelve exact copies, of 299 records with codes', (t) => {
  const { exact } = count(all);
  t.is(exact.synthetic.value, 12 / 299);
  t.is(exact.synthetic.n, 299);
  t.is(exact.test.value, 0);
  t.is(exact.excess.value, 12 / 299);
});

/** Strangers of ten codes each; copies differ from a training patient in `changed` of their ten codes. */
const stranger = (i: number) => [Array.from({ length: 10 }, (_, c) => 1000 * i + c)];
const changed = (i: number, codes: number) => [
  stranger(i)[0]?.map((c, at) => (at < codes ? c + 500 : c)) ?? [],
];

test('planted exact and near copies raise the rates by exactly their share', (t) => {
  const people = (from: number, n: number) => Array.from({ length: n }, (_, i) => stranger(from + i));
  for (const planted of [0, 1, 7, 20]) {
    const synthetic = [
      ...Array.from({ length: planted }, (_, i) => stranger(i)),
      ...Array.from({ length: planted }, (_, i) => changed(i, 1)),
      ...people(200, 40 - 2 * planted),
    ];
    const cohorts = {
      train: recordsOf(people(0, 40)),
      test: recordsOf([stranger(3), ...people(100, 39)]),
      synthetic: recordsOf(synthetic),
    };
    const found = count(cohorts);
    t.is(found.exact.synthetic.value, planted / 40);
    t.is(found.near.synthetic.value, (2 * planted) / 40);
    t.is(found.exact.test.value, 1 / 40);
    t.is(count(cohorts, { nearShare: 0.1 }).near.synthetic.value, planted / 40);
  }
});

test('a copy of the codes is a copy whatever the labels; visits must match', (t) => {
  const one = (visits: number[][], labels: number[]) => columnsOf([{ visits, labels }]);
  const train = one([[1, 2], [3]], [1, 0]);
  const found = (synthetic: PrivacyCohorts['synthetic']) =>
    count({ train, test: train, synthetic }).exact.synthetic;
  t.is(found(one([[1, 2], [3]], [0, 1])).value, 1);
  t.is(found(one([[1], [2, 3]], [1, 0])).value, 0);
  t.is(found(one([[1, 2], [3], []], [1, 0])).value, 1);
});

test('distance ratio: near 0 for a copy, 1 between two equally near, left out where both are 0', (t) => {
  const train = recordsOf([[[1, 2, 3]], [[1, 2, 4]], [[9]], [[9]]]);
  const ratio = (visits: number[][]) =>
    count({ train, test: train, synthetic: recordsOf([visits]) }).ratio.synthetic;
  t.is(ratio([[1, 2, 3]]).median.value, 0);
  t.is(ratio([[1, 2]]).median.value, 1);
  t.is(ratio([[9]]).median.value, null);
  t.regex(ratio([[9]]).median.note ?? '', /2 nearest training patients are all exact copies/);
  const alone = count({ train: recordsOf([[[1]]]), test: train, synthetic: train });
  t.regex(alone.ratio.test.low.note ?? '', /fewer than 2 patients/);
});

test('copy rates and identity risk do not depend on the order of patients', (t) => {
  const shuffled = {
    train: columnsOf(reordered(split.train)),
    test: columnsOf(reordered(split.test)),
    synthetic: columnsOf(reordered(split.synthetic)),
  };
  t.deepEqual(count(shuffled), count(all));
  const [a, b] = [identity(shuffled).risk.value ?? NaN, identity(all).risk.value ?? NaN];
  t.true(Math.abs(a - b) < 1e-12);
});

test('identity disclosure by hand', (t) => {
  const one = (label: number, ...codes: number[]) => ({ visits: [codes], labels: [label] });
  // Two alike on label 1 (f = 2), one alone on label 0 (f = 1).
  const train = columnsOf([one(1, 1, 2), one(1, 3, 4), one(0, 5, 6)]);
  const risk = (...synthetic: { visits: number[][]; labels: number[] }[]) =>
    identity({ train, test: train, synthetic: columnsOf(synthetic) }).risk.value;
  t.is(risk(one(0, 5, 6)), 1 / 3, 'matched and learned from');
  t.is(risk(one(0, 7, 8)), 0, 'matched, nothing learned');
  t.is(risk({ visits: [[5], [6]], labels: [0] }), 0, 'another visit count does not match');
  t.is(risk(one(1, 1, 9)), 1 / 2 / 3, 'one of the two alike learned from, at chance one half');
  t.is(risk(one(0, 5, 6), one(0, 7, 8)), 1 / 2 / 3, 'half of the matches teach');
  const everyone = identity({ train, test: train, synthetic: train });
  // Alone: 1. The pair: each finds itself among two candidates and is one of two.
  t.true(Math.abs((everyone.risk.value ?? NaN) - (1 + 2 * (1 / 2) * (1 / 2)) / 3) < 1e-12);
  t.false(everyone.acceptable);
  const sampled = identity({ train, test: train, synthetic: train }, { samplingFraction: 0.1 });
  t.true(Math.abs((sampled.risk.value ?? NaN) - 0.05) < 1e-12);
  t.is(sampled.acceptable, 0.05 < identityRiskThreshold);
});

test('common codes are no news; codes the attacker knows part the cohort', (t) => {
  const shared = recordsOf([[[1, 2]], [[1, 3]], [[1, 4]]]);
  const synthetic = recordsOf([[[1]]]);
  t.is(identity({ train: shared, test: shared, synthetic }).risk.value, 0);
  const knowing = identity({ train: shared, test: shared, synthetic: shared }, { knownCodes: [2, 3, 4] });
  t.is(knowing.risk.value, 0, 'nothing rare is left to learn');
  const two = recordsOf([[[1, 2, 7]], [[1, 3, 8]], [[1, 4, 9]]]);
  t.is(identity({ train: two, test: two, synthetic: two }, { knownCodes: [2, 3, 4] }).risk.value, 1);
});

test('intervals repeat, and empty cohorts give sentences', (t) => {
  const first = identity(firstHundred, { replicates: 100 });
  t.deepEqual(identity(firstHundred, { replicates: 100 }), first);
  const empty = { ...firstHundred, synthetic: recordsOf([]) };
  t.regex(identity(empty).risk.note ?? '', /synthetic cohort has 0 patients/);
  t.is(identity(empty).acceptable, null);
  const found = count({ ...firstHundred, synthetic: recordsOf([[], [[]]]) });
  t.regex(found.exact.synthetic.note ?? '', /synthetic cohort has 0 patients/);
  t.is(found.ratio.test.median.value, null);
});

test('no copy among few patients is no proof: the interval says how many could have gone unseen', (t) => {
  const train = recordsOf([[[1, 2, 3, 4]], [[5, 6, 7, 8]]]);
  const others = (n: number) => recordsOf(Array.from({ length: n }, (_, p) => [[20 + 2 * p, 21 + 2 * p]]));
  const found = count({ train, test: others(5), synthetic: others(10) }, { replicates: 50 });
  const [ten, five] = [10, 5].map((n) => certainShareInterval(0, n)?.[1] ?? NaN) as [number, number];
  t.deepEqual(found.exact.synthetic.interval, [0, ten]);
  t.deepEqual(found.exact.test.interval, [0, five]);
  t.deepEqual(found.exact.excess.interval, [-five, ten]);
  t.is(count({ train, test: others(5), synthetic: others(10) }).exact.excess.interval, undefined);
});
