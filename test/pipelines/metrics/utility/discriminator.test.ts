import test from 'ava';
import { startBackend } from '../../../../infra/backend.ts';
import { drainAsync } from '../../../../pipelines/kernel/steps.ts';
import {
  type DiscriminatorOptions,
  discriminate,
  discriminatorDefaults,
} from '../../../../pipelines/metrics/learners/discriminator.ts';
import { deviceArrays } from '../../../../pipelines/nn/ops/open-ops.ts';
import { noPatients } from '../../../helpers/patients.ts';
import { plantedPatients, tokenCount } from './planted-patients.ts';

test.before(() => startBackend());

const real = plantedPatients(500, 0);
const [half, scrambled] = [plantedPatients(500, 1), plantedPatients(500, 1, { scrambled: true })];

const options: DiscriminatorOptions = {
  ...discriminatorDefaults,
  seed: 2,
  replicates: 50,
  tokens: tokenCount,
};

test.serial('two real halves cannot be told apart, scrambled patients can', async (t) => {
  const same = await drainAsync(discriminate(real, half, options));
  t.true(Math.abs((same.value ?? 0) - 0.5) < 0.07, `${same.value}`);
  t.true(same.interval && same.interval[0] < same.interval[1]);
  const other = await drainAsync(discriminate(real, scrambled, options));
  t.true((other.value ?? 0) > 0.95, `${other.value}`);
  t.is(other.n, 1000);
  t.deepEqual(await drainAsync(discriminate(real, half, options)), same);
});

test.serial('independent cohorts: 0.5 lies in the interval about as often as it should', async (t) => {
  let inside = 0;
  for (let run = 0; run < 20; run++) {
    const [a, b] = [plantedPatients(60, 100 + 2 * run), plantedPatients(60, 101 + 2 * run)];
    const [low, high] = (await drainAsync(discriminate(a, b, options))).interval ?? [1, 0];
    if (low <= 0.5 && 0.5 <= high) inside++;
  }
  // Of 20 at 95 %, fewer than 17 come about in 2 % of all seeds.
  t.true(inside >= 17, `${inside} of 20`);
});

test.serial('the LSTM sees codes that should not be there, and leaves no tensor', async (t) => {
  const before = deviceArrays();
  const relabeled = { ...half, codes: half.codes.map((code) => (code % 7 === 0 ? tokenCount : code)) };
  const lstm = {
    embedding: 8,
    hidden: 8,
    layers: 1,
    learningRate: 0.02,
    batchSize: 64,
    epochs: 6,
    leastUpdates: 0,
  };
  const task = { ...options, classifier: 'lstm', folds: 3, tokens: tokenCount + 1, lstm } as const;
  const { value } = await drainAsync(discriminate(real, relabeled, task));
  t.true((value ?? 0) > 0.9, `${value}`);
  t.is(deviceArrays(), before);
});

test.serial('too few patients is a sentence', async (t) => {
  for (const synthetic of [noPatients, plantedPatients(1, 5)]) {
    const { value, note } = await drainAsync(discriminate(real, synthetic, options));
    t.is(value, null);
    t.regex(note ?? '', /fewer than 50 patients.*5-fold cross-validation/);
  }
});
