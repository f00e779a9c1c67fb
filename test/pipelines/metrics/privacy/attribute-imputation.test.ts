import test from 'ava';
import { startBackend } from '../../../../infra/backend.ts';
import { RandomSource } from '../../../../pipelines/kernel/random.ts';
import { drainAsync } from '../../../../pipelines/kernel/steps.ts';
import metric from '../../../../pipelines/metrics/privacy/attribute-imputation.ts';
import {
  attributeImputation,
  type ImputationOptions,
} from '../../../../pipelines/metrics/privacy/engine/attribute-imputation.ts';
import { beliefResults } from '../../../../pipelines/metrics/privacy/engine/belief-scores.ts';
import {
  attributeQuestion,
  hideOneByOne,
  spreadCodes,
} from '../../../../pipelines/metrics/privacy/engine/candidate-codes.ts';
import { deviceArrays } from '../../../../pipelines/nn/ops/open-ops.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../../../../pipelines/patients/visit-columns.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import { noPatients } from '../../../helpers/patients.ts';

test.before(() => startBackend());

const [open, secrets] = [60, 8];
const vocabulary: Vocabulary = {
  codes: Array.from({ length: open + secrets }, (_, i) => ({ modality: 'dx' as const, code: `${i}` })),
  labels: [],
};
const codes = Array.from({ length: secrets }, (_, i) => open + i);

/** Patients whose secret codes are a matter of chance: who has not seen a patient cannot know them. */
const chancePatients = (patients: number, stream: number): VisitColumns => {
  const source = new RandomSource(5, 'patients');
  const builder = new VisitColumnsBuilder();
  const units = new Float64Array(40);
  for (let patient = 0; patient < patients; patient++) {
    source.fill(units, 0, 40, patient, stream);
    let at = 0;
    const next = (below: number) => Math.floor((units[at++] as number) * below);
    const visit = codes.filter(() => next(10) < 3);
    builder.addPatient(
      [
        [...visit, ...Array.from({ length: 5 }, () => next(open))],
        [next(open), next(open)],
      ],
      [],
    );
  }
  return builder.build();
};

const train = chancePatients(100, 0);
const apart = { train, test: chancePatients(80, 1), synthetic: chancePatients(100, 2) };
const copied = { ...apart, synthetic: train };
const options: ImputationOptions = {
  seed: 1,
  replicates: 40,
  codes,
  training: {
    embedding: 16,
    hidden: 16,
    middle: 32,
    learningRate: 0.02,
    batchSize: 64,
    epochs: 10,
    leastUpdates: 0,
  },
};
const run = (cohorts: typeof apart, over: Partial<ImputationOptions> = {}) =>
  drainAsync(attributeImputation(cohorts, vocabulary, { ...options, ...over }));

test.serial('a copied cohort gives hidden codes away, an independent one does not', async (t) => {
  const before = deviceArrays();
  const leak = await run(copied);
  t.is(deviceArrays(), before);
  t.true((leak.excess.value ?? 0) > 0.2, `${leak.excess.value}`);
  t.true((leak.excess.interval?.[0] ?? 0) > 0.1, `${leak.excess.interval}`);
  t.true((leak.beyondControl.interval?.[0] ?? 0) > 0.1, `${leak.beyondControl.interval}`);
  t.true(Math.abs((leak.strangers.auc.value ?? 0) - 0.5) < 0.1, `${leak.strangers.auc.value}`);
  t.is(leak.attack.auc.n, 100 * secrets);
  const [sure] = leak.attack.atThresholds;
  t.true((sure?.truePositiveRate.value ?? 0) > (sure?.falsePositiveRate.value ?? 1) + 0.2);
  t.true((sure?.precision.value ?? 0) > 0.4, 'three in ten would be guessing');
  t.deepEqual(await run(copied), leak);
  const safe = await run(apart);
  t.true(Math.abs(safe.excess.value ?? 1) < 0.1, `${safe.excess.value}`);
  const [low, high] = safe.excess.interval ?? [1, 0];
  t.true(low < 0 && high > 0, `${low} to ${high}`);
});

test.serial("the paper's prior knows the answers: a verbatim copy passes as guessing", async (t) => {
  const { published } = await run(copied, { replicates: 0 });
  // The same patients in the same order make the same model, so that nothing is ever likelier than the prior.
  t.is(published.attack.auc.value, 0.5);
  t.deepEqual(published.attack.curve, { falsePositive: [0, 1], truePositive: [0, 1] });
  const safe = await run(apart, { replicates: 0 });
  t.true((safe.published.attack.auc.value ?? 1) < 0.45, 'worse than guessing');
  t.true((safe.published.control.auc.value ?? 1) < 0.45);
});

test('a code at a time is hidden, and each is asked about once', (t) => {
  const builder = new VisitColumnsBuilder();
  builder.addPatient([[1, 7], [7]], []);
  builder.addPatient([[7, 8]], []);
  builder.addPatient([], []);
  const asked = hideOneByOne(builder.build(), [7, 8]);
  t.deepEqual([...asked.present], [1, 0, 1, 1, 0, 0]);
  t.deepEqual(
    asked.cases.map(({ patient, visits, hidden }) => [patient, visits, hidden]),
    [
      [0, 2, -1],
      [0, 2, 7],
      [1, 1, -1],
      [1, 1, 7],
      [1, 1, 8],
      [2, 0, -1],
    ],
  );
  const question = attributeQuestion([asked], [7, 8]);
  const answers = asked.cases.map((one) => {
    const [targets, weights] = [new Float32Array(2), new Float32Array(2)];
    question.answer(asked, one, targets, weights);
    return [[...targets], [...weights]];
  });
  t.deepEqual(answers, [
    [
      [0, 0],
      [0, 1],
    ],
    [
      [1, 0],
      [1, 0],
    ],
    [
      [0, 0],
      [0, 0],
    ],
    [
      [1, 0],
      [1, 0],
    ],
    [
      [0, 1],
      [0, 1],
    ],
    [
      [0, 0],
      [1, 1],
    ],
  ]);
});

test('codes are spread from common to rare, without those that nearly all or nearly none have', (t) => {
  const builder = new VisitColumnsBuilder();
  // Token i is in the records of the first 10 · i patients; all have token 10.
  for (let patient = 0; patient < 100; patient++)
    builder.addPatient([Array.from({ length: 11 }, (_, i) => i).filter((i) => patient < 10 * i)], []);
  const kinds: Vocabulary = {
    codes: Array.from({ length: 11 }, (_, i) => ({
      modality: i === 5 ? ('gap' as const) : ('dx' as const),
      code: '',
    })),
    labels: [],
  };
  const cohort = builder.build();
  t.deepEqual(spreadCodes(cohort, kinds, 100, 10), [1, 2, 3, 4, 6, 7, 8, 9]);
  t.deepEqual(spreadCodes(cohort, kinds, 100, 25), [3, 4, 6, 7]);
  t.deepEqual(spreadCodes(cohort, kinds, 2, 10), [2, 7]);
  t.deepEqual(spreadCodes(noPatients, kinds, 2, 10), []);
});

test('rates, precision and AUC of beliefs in closed form', (t) => {
  const believed = {
    codes: 2,
    present: Uint8Array.of(1, 0, 1, 0),
    scores: Float64Array.of(2, 1, 0.5, -1),
  };
  const { results, differences } = beliefResults(
    [
      { believed, group: 0 },
      { believed: { ...believed, present: Uint8Array.of(0, 0, 0, 0) }, group: 0 },
    ],
    [
      [0, 0],
      [0, 1],
    ],
    { seed: 0, replicates: 0, thresholds: [0.5, 1, 9] },
  );
  const [told, oneSided] = results;
  t.is(told?.auc.value, 0.75);
  t.deepEqual(
    told?.atThresholds.map(({ threshold, truePositiveRate, falsePositiveRate, precision }) => [
      threshold,
      truePositiveRate.value,
      falsePositiveRate.value,
      precision.value,
    ]),
    [
      [0.5, 1, 0.5, 2 / 3],
      [1, 0.5, 0.5, 0.5],
      [9, 0, 0, null],
    ],
  );
  t.regex(told?.atThresholds[2]?.precision.note ?? '', /no code is inferred/);
  t.is(told?.sweep.threshold.length, 41);
  t.is(told?.sweep.truePositive[20], 0.5, 'δ = 2 still believes the surest');
  t.is(told?.sweep.truePositive[21], 0);
  t.is(oneSided?.auc.value, null);
  t.deepEqual(
    differences.map(({ value }) => value),
    [0, null],
  );
});

test.serial('what cannot be asked gets a sentence', async (t) => {
  for (const [cohorts, over, sentence] of [
    [{ ...apart, train: noPatients }, {}, /the train cohort has 0 patients/],
    [
      { ...apart, test: chancePatients(1, 1) },
      {},
      /the test cohort has 1 patients, and this needs at least 2/,
    ],
    [apart, { codes: [] }, /none of the codes/],
  ] as const) {
    const { excess, attack } = await run(cohorts, over);
    t.is(excess.value, null);
    t.regex(excess.note ?? '', sentence);
    t.is(attack.auc.value, null);
  }
  const rare = { train, test: apart.test, synthetic: apart.synthetic };
  const { excess } = await drainAsync(
    attributeImputation(rare, vocabulary, { seed: 1, replicates: 0, leastPatients: 90 }),
  );
  t.regex(excess.note ?? '', /no code is had by 90 of the 100 attacked patients/);
});

test.serial('codes are named as in the vocabulary; those it has not are told', async (t) => {
  const given = metric.options?.parse({ codes: ['dx:60', 'dx:999'], training: options.training });
  if (!given) throw new Error('the metric has options');
  const input = {
    vocabulary,
    train,
    validation: noPatients,
    holdout: apart.test,
    synthetic: train,
    rows: [],
  };
  const { rows, series } = await drainAsync(
    metric.compute({ ...input, options: given, seed: 1, replicates: 0 }),
  );
  const excess = rows.find(({ row }) => row === 'excess');
  t.is(excess?.note, 'Not in the vocabulary, and left out: dx:999.');
  t.is(rows.find(({ row }) => row === 'auc')?.n, 100);
  const curves = Object.keys(series ?? {}).filter((name) => name.endsWith('roc'));
  t.deepEqual(curves, ['roc', 'control-roc', 'strangers-roc', 'reference-promptehr-roc']);
});
