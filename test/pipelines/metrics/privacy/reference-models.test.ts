import test from 'ava';
import type { Sampler } from '../../../../pipelines/generation/generator.ts';
import { scoreByMarginals, smoothedMarginals } from '../../../../pipelines/generators/marginal/score.ts';
import { RandomSource, UniformStream } from '../../../../pipelines/kernel/random.ts';
import { drainAsync } from '../../../../pipelines/kernel/steps.ts';
import { referenceScores } from '../../../../pipelines/metrics/privacy/engine/reference-models.ts';
import { metrics } from '../../../../pipelines/metrics/registry.ts';
import { metricOptions, scoreMetric } from '../../../../pipelines/metrics/score-metric.ts';
import type { VisitColumns } from '../../../../pipelines/patients/visit-columns.ts';
import { codesOfPatient, patientCount } from '../../../../pipelines/patients/visit-columns.ts';
import { noPatients, recordsOf } from '../../../helpers/patients.ts';
import { vocabularyOf } from '../golden-cohorts.ts';

const codes = 40;
const vocabulary = vocabularyOf(codes, 1);

const cohort = (patients: number, seed: number): VisitColumns => {
  const source = new RandomSource(seed, 'patients');
  return recordsOf(
    Array.from({ length: patients }, (_, patient) => {
      const stream = new UniformStream(source, patient);
      return [[...Array(codes).keys()].filter((code) => stream.next() < 1 / (2 + code / 3))];
    }),
    [1],
  );
};

const [train, holdout] = [cohort(160, 1), cohort(160, 2)];
const recordOf = (columns: VisitColumns, patient: number) => codesOfPatient(columns, patient).join();

/** A model with the marginals of the population, to which training patients are `nats` more probable. */
const memoriser = (nats: number) => async (): Promise<Sampler> => {
  const known = new Set(Array.from({ length: patientCount(train) }, (_, p) => recordOf(train, p)));
  return {
    sample: async () => noPatients,
    score: async function* (columns) {
      const marginals = smoothedMarginals(cohort(2000, 4), { codes, labels: 1 }, 1);
      const scores = yield* scoreByMarginals(marginals, columns);
      return {
        ...scores,
        logProbability: scores.logProbability.map((log, p) =>
          known.has(recordOf(columns, p)) ? log + nats : log,
        ),
      };
    },
    dispose: () => undefined,
  };
};

const learner = { generator: 'marginal', config: {} };

const scored = async (nats: number, options: object, others: VisitColumns = holdout, replicates = 0) => {
  const metric = metrics.get('membership-model');
  if (!metric) throw new Error('no metric');
  const parties = { train, validation: noPatients, holdout: others, synthetic: cohort(160, 3), vocabulary };
  const input = { ...parties, model: memoriser(nats), learner, rows: [], seed: 0, replicates };
  const found = await drainAsync(
    scoreMetric(metric, { ...input, options: metricOptions(metric, options) }, 0),
  );
  const row = (name: string) => found.rows.find((candidate) => candidate.row === name);
  return { ...found, auc: row('trained-calibrated-auc'), rmia: row('rmia-auc'), raw: row('auc') };
};

test('what a model has learned by heart is found against a reference model, which is trained only if asked for', async (t) => {
  const { auc, raw, permuted } = await scored(4, { references: 1 }, holdout, 20);
  t.true((auc?.value ?? 0) > 0.95, `${auc?.value}`);
  t.true((raw?.value ?? 1) < 0.85, `${raw?.value}`);
  t.is(auc?.n, 160, 'half of the holdout, and as many training patients');
  t.true(permuted && 'trained-calibrated-' in permuted, 'the strongest attack takes part in it');
  t.is((await scored(4, {})).auc, undefined);
});

test('RMIA: planted memory is found by several reference models, guessing without, no row with one', async (t) => {
  const planted = await scored(4, { references: 3 }, holdout, 20);
  t.true((planted.rmia?.value ?? 0) > 0.95, `${planted.rmia?.value}`);
  t.true(planted.permuted && 'rmia-' in planted.permuted, 'the strongest attack takes part in it');
  const clean = await scored(0, { references: 3 });
  t.true(Math.abs((clean.rmia?.value ?? 0) - 0.5) < 0.1, `${clean.rmia?.value}`);
  t.is((await scored(4, { references: 1 })).rmia, undefined);
});

test('without anything learned by heart the ratio is guessing, with one reference model or three', async (t) => {
  for (const references of [1, 3]) {
    const { auc } = await scored(0, { references });
    t.true(Math.abs((auc?.value ?? 0) - 0.5) < 0.1, `${references}: ${auc?.value}`);
    t.deepEqual((await scored(0, { references })).auc, auc);
  }
});

test('too few patients for references are a sentence, and the other rows stay', async (t) => {
  const { auc, raw } = await scored(4, { references: 1 }, cohort(38, 5));
  t.is(auc?.value, null);
  t.regex(auc?.note ?? '', /^Half of the holdout are 19 patients, and a reference model needs at least 20/);
  t.is(typeof raw?.value, 'number');
});

test('a reference is the model that was trained and a hundredth of smoothed marginals, averaged as logarithms', async (t) => {
  const references = recordsOf([[[0]], [[0, 1]], [[1]], [[]]], [1]);
  const asked = recordsOf([[[0, 1]], [[2]]], [1]);
  const task = { learner, validation: noPatients, vocabulary, seed: 0, references, steps: 9 };
  const [found] = (await drainAsync(referenceScores({ ...task, models: 1 }, [asked]))) ?? [];
  const smoothed = await drainAsync(
    scoreByMarginals(smoothedMarginals(references, { codes, labels: 1 }, 1), asked),
  );
  const [both = 0, unseen = 0] = smoothed.logProbability;
  // Half of the references have code 0, half code 1, none any other.
  const { meanLog, logMean } = found ?? {};
  t.true(Math.abs((meanLog?.[0] ?? 0) - Math.log(0.99 * 0.25 + 0.01 * Math.exp(both))) < 1e-9);
  t.true(Math.abs((meanLog?.[1] ?? 0) - (Math.log(0.01) + unseen)) < 1e-9, 'no record is impossible');
  t.true(
    logMean?.every((log, i) => Math.abs(log - (meanLog?.[i] ?? 0)) < 1e-9),
    'of one model they are equal',
  );
  const [three] = (await drainAsync(referenceScores({ ...task, models: 3 }, [asked]))) ?? [];
  t.true(three?.meanLog.every(Number.isFinite));
  t.true(
    three?.logMean.every((log, i) => log >= (three.meanLog[i] as number) - 1e-9),
    'Jensen: a mean is at least its geometric one',
  );
  t.notDeepEqual(three, found, 'each of three learns from half of the references');
});
