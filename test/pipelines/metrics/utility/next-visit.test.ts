import test from 'ava';
import { startBackend } from '../../../../infra/backend.ts';
import { drainAsync } from '../../../../pipelines/kernel/steps.ts';
import {
  type NextVisitOptions,
  nextVisit,
  promptEhrMixes,
} from '../../../../pipelines/metrics/utility/engine/next-visit.ts';
import type { UtilityCohorts } from '../../../../pipelines/metrics/utility/engine/phenotyping-sets.ts';
import { deviceArrays } from '../../../../pipelines/nn/ops/open-ops.ts';
import { noPatients } from '../../../helpers/patients.ts';
import { plantedPatients, plantedVocabulary } from './planted-patients.ts';

test.before(() => startBackend());

const cohorts: UtilityCohorts = {
  train: plantedPatients(150, 0),
  validation: plantedPatients(60, 1),
  test: plantedPatients(90, 2),
  synthetic: plantedPatients(150, 3),
};

const options: NextVisitOptions = {
  seed: 5,
  replicates: 30,
  mixes: [
    { real: 150, synthetic: 0 },
    { real: 0, synthetic: 150 },
    { real: 100, synthetic: 151 },
  ],
  training: {
    embedding: 16,
    hidden: 24,
    middle: 32,
    learningRate: 0.02,
    batchSize: 32,
    epochs: 30,
    leastUpdates: 0,
    dropout: 0.1,
    patience: 10,
  },
};

const run = (of: UtilityCohorts, over: Partial<NextVisitOptions> = {}) =>
  drainAsync(nextVisit(of, plantedVocabulary, { ...options, ...over }));

test.serial('learns what follows what, from real and from synthetic patients alike', async (t) => {
  const before = deviceArrays();
  const { rows, commonest, tested } = await run(cohorts);
  t.is(deviceArrays(), before);
  const [real, synthetic, tooMany] = rows;
  for (const row of [real, synthetic]) {
    t.true((row?.recall[10].value ?? 0) > (commonest[10].value ?? 1) + 0.15, `${row?.recall[10].value}`);
    t.true((row?.recall[30].value ?? 0) >= (row?.recall[20].value ?? 1));
    const [low, high] = row?.recall[10].interval ?? [1, 0];
    t.true(low < high);
  }
  t.is(tooMany?.recall[10].value, null);
  t.regex(tooMany?.recall[10].note ?? '', /151 synthetic patients are asked for, and there are 150/);
  t.deepEqual(await run(cohorts), { rows, commonest, tested });
});

test.serial('patients with one visit predict nothing', async (t) => {
  const single = plantedPatients(40, 4, { mostVisits: 1 });
  const noTest = await run({ ...cohorts, test: single });
  t.regex(noTest.rows[0]?.recall[20].note ?? '', /no test patient has a visit with codes after the first/);
  t.is(noTest.commonest[10].value, null);
  const noTraining = await run({ ...cohorts, synthetic: single }, { mixes: [{ real: 0, synthetic: 40 }] });
  t.regex(noTraining.rows[0]?.recall[20].note ?? '', /no training patient/);
  const noCodes = await run(cohorts, { modalities: ['rx'] });
  t.is(noCodes.rows[0]?.trainingVisits, 0);
  t.is(noCodes.rows[0]?.recall[10].value, null);
  const empty = await run({
    train: noPatients,
    validation: noPatients,
    test: noPatients,
    synthetic: noPatients,
  });
  t.is(empty.rows[0]?.recall[10].value, null);
});

test("PromptEHR's sizes scale with the cohort, and small ones are told once", (t) => {
  const whole = promptEhrMixes(39_581, 50_000);
  t.is(whole.length, 15);
  t.deepEqual(whole[0], { real: 5_000, synthetic: 0 });
  t.deepEqual(whole.at(-1), { real: 30_000, synthetic: 50_000 });
  t.deepEqual(promptEhrMixes(39_581, 90_000), whole, 'a larger cohort changes no size');
  t.true(promptEhrMixes(3, 3).length < 15);
  // A cohort as large as the training split: every mix can be had, in the paper's proportion of real to synthetic.
  for (const size of [40, 1_000, 37_000]) {
    const mixes = promptEhrMixes(size, size);
    t.true(mixes.every(({ real, synthetic }) => real <= size && synthetic <= size));
    t.deepEqual(mixes.at(-1), { real: Math.round(0.6 * size), synthetic: size });
  }
  t.deepEqual(promptEhrMixes(1_000, 100).at(-1), { real: 60, synthetic: 100 });
  t.deepEqual(promptEhrMixes(39_581, 0), whole, 'without a cohort the sizes stay, and have a note');
});
