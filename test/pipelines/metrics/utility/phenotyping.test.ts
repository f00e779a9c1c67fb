import test from 'ava';
import { startBackend } from '../../../../infra/backend.ts';
import { drainAsync } from '../../../../pipelines/kernel/steps.ts';
import { balancedSet } from '../../../../pipelines/metrics/learners/examples.ts';
import {
  classifierDefaults,
  trainClassifiers,
} from '../../../../pipelines/metrics/learners/train-classifiers.ts';
import {
  type PhenotypingOptions,
  type PhenotypingResult,
  phenotyping,
} from '../../../../pipelines/metrics/utility/engine/phenotyping.ts';
import {
  arrangements,
  definingTokens,
  type UtilityCohorts,
} from '../../../../pipelines/metrics/utility/engine/phenotyping-sets.ts';
import { rareConditions } from '../../../../pipelines/metrics/utility/engine/rare-condition.ts';
import { deviceArrays } from '../../../../pipelines/nn/ops/open-ops.ts';
import { noPatients } from '../../../helpers/patients.ts';
import { plantedDefinitions, plantedPatients, plantedVocabulary, tokenCount } from './planted-patients.ts';

test.before(() => startBackend());

const classifier = {
  embedding: 8,
  hidden: 8,
  layers: 1,
  dropout: 0.25,
  learningRate: 0.02,
  batchSize: 32,
  epochs: 8,
  leastUpdates: 0,
  patience: 4,
} as const;

const cohorts: UtilityCohorts = {
  train: plantedPatients(200, 0),
  validation: plantedPatients(80, 1),
  test: plantedPatients(160, 2),
  synthetic: plantedPatients(200, 3),
};

const options = (over: Partial<PhenotypingOptions> = {}): PhenotypingOptions => ({
  seed: 5,
  variant: 'clean',
  definitions: plantedDefinitions,
  sizes: { train: 160, validation: 60, test: 120 },
  leastPositives: 10,
  replicates: 40,
  classifier,
  ...over,
});

const run = (over: Partial<PhenotypingOptions> = {}, of = cohorts): Promise<PhenotypingResult> =>
  drainAsync(phenotyping(of, plantedVocabulary, options(over)));

const auc = (result: PhenotypingResult, label: number, arrangement: (typeof arrangements)[number]): number =>
  result.labels[label]?.results[arrangement].auc.value ?? Number.NaN;

test.serial('learns what is planted; the paper reads it off the code that defines it', async (t) => {
  const before = deviceArrays();
  const clean = await run();
  t.is(deviceArrays(), before);
  const paper = await run({ variant: 'paper' });
  for (const arrangement of arrangements) {
    t.true(auc(paper, 0, arrangement) > 0.98, `paper ${arrangement}`);
    const hidden = auc(clean, 0, arrangement);
    t.true(hidden > 0.75 && hidden < 0.98, `clean ${arrangement} ${hidden}`);
    t.true(Math.abs(auc(clean, 2, arrangement) - 0.5) < 0.2, 'a coin cannot be learned');
  }
  t.is(clean.labels[0]?.hiddenCodes, 1);
  t.is(paper.labels[0]?.hiddenCodes, null);
  t.regex(clean.labels[2]?.note ?? '', /no definition/);
  const { value, interval } = clean.labels[0]?.results.real.auc ?? {};
  t.true(value !== null && value !== undefined && interval && interval[0] <= value && value <= interval[1]);
});

test.serial('a label nobody has gets sentences and stays out of the average', async (t) => {
  // With a definition for every label, so that all are of one average.
  const definitions = plantedDefinitions.map((tokens) => tokens ?? new Set<number>());
  const { labels, average, gap, undefinedLabels } = await run({ replicates: 0, definitions });
  t.is(undefinedLabels, undefined);
  for (const arrangement of arrangements) {
    const { value, note } = labels[1]?.results[arrangement].accuracy ?? {};
    t.is(value, null);
    t.regex(note ?? '', /fewer than 10 patients with, or without/);
    t.is(average[arrangement].accuracy.n, 2);
  }
  const mean = [0, 2].reduce((sum, i) => sum + (labels[i]?.results.real.f1.value ?? 0) / 2, 0);
  t.true(Math.abs((average.real.f1.value ?? 0) - mean) < 1e-12);
  const distance = (average.synthetic.auc.value ?? 0) - (average.real.auc.value ?? 0);
  t.true(Math.abs((gap.synthetic?.auc.value ?? 1) - distance) < 1e-12);
  t.false('real' in gap);
});

test.serial(
  'labels without a definition have means of their own, and no share of the clean ones',
  async (t) => {
    const { labels, average, gap, undefinedLabels } = await run({ replicates: 20 });
    const [planted, , coin] = labels;
    for (const arrangement of arrangements) {
      t.deepEqual(average[arrangement].auc.value, planted?.results[arrangement].auc.value);
      t.is(average[arrangement].auc.n, 1);
      t.deepEqual(undefinedLabels?.average[arrangement].auc.value, coin?.results[arrangement].auc.value);
    }
    t.not(gap.synthetic?.auc.value, undefinedLabels?.gap.synthetic?.auc.value);
    const paper = await run({ variant: 'paper', replicates: 0 });
    t.is(paper.undefinedLabels, undefined);
    t.is(paper.average.real.auc.n, 2);
    const none = await run({ definitions: [undefined, undefined, undefined], replicates: 0 });
    t.is(none.average.real.auc.value, null);
    t.is(none.undefinedLabels?.average.real.auc.n, 2);
  },
);

test.serial('same seed, same numbers; another seed, others', async (t) => {
  const first = await run();
  t.deepEqual(await run(), first);
  t.notDeepEqual(await run({ seed: 6 }), first);
});

test.serial('cohorts without patients, visits or enough of either give sentences', async (t) => {
  const bare = plantedPatients(1, 9);
  for (const synthetic of [
    noPatients,
    bare,
    { ...noPatients, visitOffsets: new Int32Array(50), labels: new Uint8Array(147) },
  ]) {
    const { labels, average } = await run({}, { ...cohorts, synthetic });
    t.is(labels[0]?.results.synthetic.auc.value, null);
    t.regex(labels[0]?.results.augmented.auc.note ?? '', /synthetic patients/);
    t.is(average.synthetic.auc.value, null);
    t.true((labels[0]?.results.real.auc.interval?.length ?? 0) === 2, 'the real one keeps its interval');
  }
  const none = { train: noPatients, validation: noPatients, test: bare, synthetic: noPatients };
  const { labels, average } = await run({}, none);
  t.true(labels.every(({ results }) => results.real.accuracy.value === null && results.real.accuracy.note));
  t.regex(average.real.auc.note ?? '', /no label/);
});

test.serial('classifiers side by side are those trained alone', async (t) => {
  const set = (label: number, cohort: UtilityCohorts['train'], size: number) =>
    balancedSet({ cohort, label, size, seed: 1, role: 'train' });
  const tasks = [0, 2].map((label) => ({
    id: label,
    train: set(label, cohorts.train, label === 0 ? 120 : 80),
    validation: set(label, cohorts.validation, 40),
    score: set(label, cohorts.test, 60),
  }));
  const train = (groupSize: number) =>
    drainAsync(
      trainClassifiers(tasks, {
        ...classifierDefaults,
        ...classifier,
        layers: 2,
        dropout: 0,
        batchSize: 120,
        seed: 3,
        tokens: tokenCount,
        groupSize,
      }),
    );
  const [together, alone] = [await train(2), await train(1)];
  for (const [i, { scores, epoch }] of together.entries()) {
    t.is(epoch, alone[i]?.epoch ?? 0);
    scores.forEach((score, p) => {
      t.true(Math.abs(score - (alone[i]?.scores[p] as number)) < 1e-4);
    });
  }
});

test.serial('a classifier that may see no code at all says one half to everyone, or close', async (t) => {
  const hidden = new Set(Array.from({ length: tokenCount }, (_, token) => token));
  const set = balancedSet({ cohort: cohorts.train, label: 0, size: 40, seed: 1, role: 'train' });
  const task = { id: 0, train: set, validation: set, score: set, hidden };
  const settings = { ...classifierDefaults, ...classifier, seed: 1, tokens: tokenCount };
  const [result] = await drainAsync(trainClassifiers([task], settings));
  t.true(result?.scores.every((score) => score > 0.2 && score < 0.8));
});

test.serial('synthetic patients help where the condition is rare', async (t) => {
  const before = deviceArrays();
  const { labels, gap } = await drainAsync(
    rareConditions(cohorts, plantedVocabulary, {
      ...options({ variant: 'clean' }),
      sizes: { validation: 60, test: 120 },
      labels: ['planted', 'never'],
      negatives: 100,
      share: 0.1,
    }),
  );
  t.is(deviceArrays(), before);
  t.is(labels.length, 2);
  t.is(labels[0]?.realPositives, 10);
  t.true((labels[0]?.syntheticPositives ?? 0) > 70);
  const { imbalanced, augmented, balanced } = labels[0]?.results ?? {};
  t.true((augmented?.f1.value ?? 0) > (imbalanced?.f1.value ?? 1));
  t.true((balanced?.accuracy.value ?? 0) > 0.7);
  t.true((gap.augmented?.f1.value ?? 0) > 0);
  t.regex(labels[1]?.results.imbalanced.auc.note ?? '', /fewer than 10 real patients/);
});

test('definitions are the diagnoses of the phenotype of that name', (t) => {
  const vocabulary = {
    codes: [
      { modality: 'dx' as const, code: '4019' },
      { modality: 'px' as const, code: '4019' },
      { modality: 'dx' as const, code: '5849' },
    ],
    labels: ['Essential hypertension', 'Other'],
  };
  const phenotypes = {
    names: ['Acute', 'Essential hypertension'],
    labelOf: new Map([
      ['4019', 1],
      ['5849', 0],
    ]),
  };
  t.deepEqual(definingTokens(vocabulary, phenotypes), [new Set([0]), undefined]);
  // Rolled up, the category gives the label away as the code did.
  const rolledUp = {
    ...vocabulary,
    codes: ['584', '401', '40'].map((code) => ({ modality: 'dx' as const, code })),
  };
  t.deepEqual(definingTokens(rolledUp, phenotypes)[0], new Set([1]));
});
