import test from 'ava';
import { startBackend } from '../../../../infra/backend.ts';
import { drainAsync } from '../../../../pipelines/kernel/steps.ts';
import { excerpts, type RecordCase } from '../../../../pipelines/metrics/learners/record-cases.ts';
import type { ScoredRow } from '../../../../pipelines/metrics/metric.ts';
import {
  type ShadowOptions,
  shadowAttack,
} from '../../../../pipelines/metrics/privacy/engine/shadow-attack.ts';
import { attackerScores } from '../../../../pipelines/metrics/privacy/engine/shadow-attacker.ts';
import { shadowFeatures } from '../../../../pipelines/metrics/privacy/engine/shadow-features.ts';
import strongestAttack from '../../../../pipelines/metrics/privacy/strongest-attack.ts';
import { deviceArrays } from '../../../../pipelines/nn/ops/open-ops.ts';
import { VisitColumnsBuilder } from '../../../../pipelines/patients/visit-columns.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import { noPatients } from '../../../helpers/patients.ts';
import { plantedPatients, plantedVocabulary } from '../utility/planted-patients.ts';

test.before(() => startBackend());

const train = plantedPatients(160, 0);
const apart = { train, test: plantedPatients(160, 2), synthetic: plantedPatients(160, 3) };
const copied = { ...apart, synthetic: train };

const options: ShadowOptions = {
  seed: 2,
  replicates: 40,
  shadow: {
    embedding: 16,
    hidden: 16,
    middle: 32,
    learningRate: 0.02,
    batchSize: 40,
    epochs: 40,
    leastUpdates: 0,
  },
};

const run = (cohorts: typeof apart, over: Partial<ShadowOptions> = {}) =>
  drainAsync(shadowAttack(cohorts, plantedVocabulary, { ...options, ...over }));

test.serial('finds the patients that a generator copied, and nobody where it copied none', async (t) => {
  const before = deviceArrays();
  const leak = await run(copied);
  t.is(deviceArrays(), before);
  t.true((leak.apart.auc.value ?? 0) > 0.75, `${leak.apart.auc.value}`);
  t.true((leak.apart.auc.interval?.[0] ?? 0) > 0.5, 'chance does not explain it');
  const { auc, curve } = (await run(apart)).apart;
  t.true(Math.abs((auc.value ?? 0) - 0.5) < 0.15, `${auc.value}`);
  const [low, high] = auc.interval ?? [1, 0];
  t.true(low < 0.5 && high > 0.5, `${low} to ${high}`);
  t.is(auc.n, 160, 'half of the test patients and as many members');
  t.is(curve.truePositive.at(-1), 1);
  t.deepEqual(await run(copied), leak);
});

test.serial('the published form finds who is in its own lesson', async (t) => {
  // A shadow that knows little: synthetic and test patients look alike, and only by heart can they be told apart.
  const shadow = { ...options.shadow, epochs: 2 };
  const few = { ...apart, test: plantedPatients(40, 2) };
  const found = await run(few, { shadow, attacker: { updates: 1500, width: 48 }, replicates: 0 });
  t.true((found.published.auc.value ?? 0) > 0.7, `${found.published.auc.value}`);
});

test.serial('too few patients give a sentence', async (t) => {
  const few = plantedPatients(3, 5);
  const none = new VisitColumnsBuilder();
  none.addPatient([], [0, 0, 0]);
  none.addPatient([], [0, 0, 0]);
  for (const [cohorts, sentence] of [
    [{ ...apart, test: few }, /the test cohort has 3 patients, and this needs at least 4/],
    [{ ...apart, train: noPatients }, /the train cohort has 0 patients/],
    [{ ...apart, synthetic: plantedPatients(1, 5) }, /the synthetic cohort has 1 patients/],
    [{ ...apart, synthetic: none.build() }, /no synthetic patient has a visit/],
  ] as const) {
    const found = await run(cohorts);
    for (const attack of [found.apart, found.published]) {
      t.is(attack.auc.value, null);
      t.regex(attack.auc.note ?? '', sentence);
      t.deepEqual(attack.curve.falsePositive, []);
    }
  }
});

test('features are mean costs per kind of code, and extremes over visits', (t) => {
  const codes = (['dx', 'dx', 'px'] as const).map((modality, i) => ({ modality, code: `${i}` }));
  const vocabulary: Vocabulary = { codes, labels: [] };
  const builder = new VisitColumnsBuilder();
  builder.addPatient([[0], [0, 2]], []);
  builder.addPatient([], []);
  const { table, query } = shadowFeatures(builder.build(), vocabulary);
  t.deepEqual(
    query.cases.map(({ patient, visits }) => [patient, visits]),
    [
      [0, 0],
      [0, 1],
    ],
  );
  // p = 1/2 everywhere; then the first code is as good as certain.
  query.tell(0, 0, Float32Array.of(0, 0, 0));
  query.tell(0, 1, Float32Array.of(100, 0, 0));
  const half = Math.log(2);
  const expected = [
    ...[half / 2, half], // dx: there half of the time at ½, and one absent both times
    ...[half, half / 2], // px: once there, once absent
    ...[(half + half / 2) / 2, (3 * half + 2 * half) / 2, half / 2, half], // all, mean and extremes
  ];
  t.is(table.width, expected.length);
  for (const [i, value] of expected.entries())
    t.true(Math.abs((table.values[i] as number) - value) < 1e-9, `${i}: ${table.values[i]} for ${value}`);
  t.true(table.values.subarray(table.width).every(Number.isNaN), 'who has no visit tells nothing');
});

test('excerpts end where they are told and hide one code throughout', (t) => {
  const builder = new VisitColumnsBuilder();
  builder.addPatient([[1, 2], [2], [3]], []);
  builder.addPatient([[2, 4]], []);
  const asked = (patient: number, visits: number, hidden = -1): RecordCase => ({ patient, visits, hidden });
  const made = excerpts(builder.build(), [asked(0, 2), asked(0, 3, 2), asked(1, 0), asked(1, 1, 9)]);
  const told = made.map(({ cohort, patient }) =>
    Array.from(
      { length: (cohort.visitOffsets[patient + 1] ?? 0) - (cohort.visitOffsets[patient] ?? 0) },
      (_, v) => {
        const visit = (cohort.visitOffsets[patient] ?? 0) + v;
        return [...cohort.codes.subarray(cohort.codeOffsets[visit], cohort.codeOffsets[visit + 1])];
      },
    ),
  );
  t.deepEqual(told, [[[1, 2], [2]], [[1], [], [3]], [], [[2, 4]]]);
});

test.serial('the attack model learns what sets two groups apart, whatever the scale', async (t) => {
  const table = (shift: number) => ({
    width: 3,
    values: Float64Array.from({ length: 60 }, (_, i) =>
      i % 3 === 2 ? Number.NaN : 1000 * ((i * 7) % 5) + (i % 3 === 0 ? shift : 0),
    ),
  });
  const lesson = { synthetic: table(9000), reference: table(0) };
  const training = { seed: 1, width: 8, learningRate: 0.01, updates: 100 };
  const [like, unlike] = (await drainAsync(attackerScores(lesson, [table(9000), table(0)], training))) as [
    Float64Array,
    Float64Array,
  ];
  t.true(Math.min(...like) > Math.max(...unlike));
});

test('an attack that learned from whom it is asked about is never the strongest', (t) => {
  const row = (name: string, value: number): ScoredRow => ({
    metric: 'membership-shadow',
    family: 'privacy',
    row: name,
    title: 'Attack AUC',
    better: 'lower',
    value,
    n: 8,
  });
  const rows = [row('reference-promptehr-auc', 0.9), row('auc', 0.6)];
  const input = {
    train: noPatients,
    validation: noPatients,
    holdout: noPatients,
    synthetic: noPatients,
    vocabulary: plantedVocabulary,
    options: {},
    seed: 0,
    replicates: 0,
  };
  t.is(strongestAttack.compute({ ...input, rows }).rows[0]?.value, 0.6);
});
