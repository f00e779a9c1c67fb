import test from 'ava';
import { emptyTally, type Sampler } from '../../../../pipelines/generation/generator.ts';
import { scoreByMarginals, smoothedMarginals } from '../../../../pipelines/generators/marginal/score.ts';
import { RandomSource } from '../../../../pipelines/kernel/random.ts';
import { drainAsync } from '../../../../pipelines/kernel/steps.ts';
import type { ScoredRow } from '../../../../pipelines/metrics/metric.ts';
import { metrics } from '../../../../pipelines/metrics/registry.ts';
import { scoreMetric } from '../../../../pipelines/metrics/score-metric.ts';
import {
  codesOfVisit,
  patientCount,
  type VisitColumns,
  VisitColumnsBuilder,
  visitRange,
} from '../../../../pipelines/patients/visit-columns.ts';
import { noPatients } from '../../../helpers/patients.ts';
import { vocabularyOf } from '../golden-cohorts.ts';

const codes = 30;
const vocabulary = vocabularyOf(codes, 1);

/** Patients of one to three visits; common codes are common in all cohorts. */
const cohort = (patients: number, seed: number): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  const random = new RandomSource(seed, 'patients');
  const uniforms = new Float64Array(codes + 1);
  for (let patient = 0; patient < patients; patient++) {
    random.fill(uniforms, 0, codes + 1, patient, 0);
    const visits = 1 + Math.floor(3 * (uniforms[codes] as number));
    builder.addPatient(
      Array.from({ length: visits }, (_, visit) => {
        random.fill(uniforms, 0, codes, patient, 1 + visit);
        return [...Array(codes).keys()].filter((code) => (uniforms[code] as number) < 1 / (2 + code / 3));
      }),
      Uint8Array.of(patient % 2),
    );
  }
  return builder.build();
};

const recordsOf = (columns: VisitColumns): string[] =>
  Array.from({ length: patientCount(columns) }, (_, patient) => {
    const [from, to] = visitRange(columns, patient);
    const visits = Array.from({ length: to - from }, (_, i) => [...codesOfVisit(columns, from + i)].join());
    return visits.join(';');
  });

const [train, holdout, synthetic] = [cohort(150, 1), cohort(150, 2), cohort(300, 3)];

/** A model that has the marginals of the population, and finds the records it learned by heart more probable. */
const memoriser = (learned: VisitColumns, nats: number) => async (): Promise<Sampler> => {
  const known = new Set(recordsOf(learned));
  return {
    sample: async () => noPatients,
    score: async function* (columns) {
      const marginals = smoothedMarginals(cohort(2000, 4), { codes, labels: 1 }, 3);
      const scores = yield* scoreByMarginals(marginals, columns);
      const logProbability = scores.logProbability.slice();
      for (const [patient, record] of recordsOf(columns).entries())
        if (known.has(record)) logProbability[patient] = (logProbability[patient] as number) + nats;
      return { ...scores, logProbability };
    },
    dispose: () => undefined,
  };
};

const rowsOf = async (name: string, model: () => Promise<Sampler>, replicates = 0) => {
  const metric = metrics.get(name);
  if (!metric) throw new Error(`no metric ${name}`);
  const parties = { train, validation: noPatients, holdout, synthetic };
  const input = { ...parties, vocabulary, model, rows: [], options: {}, seed: 0, replicates };
  return new Map((await drainAsync(scoreMetric(metric, input, 0))).rows.map((row) => [row.row, row]));
};

test('what a model has learned by heart is found by the calibrated attack, not by the raw one', async (t) => {
  const rows = await rowsOf('membership-model', memoriser(train, 3));
  t.true((rows.get('auc')?.value ?? 1) < 0.75);
  t.true((rows.get('calibrated-auc')?.value ?? 0) > 0.9, `${rows.get('calibrated-auc')?.value}`);
  t.true((rows.get('calibrated-tpr-at-1-percent')?.value ?? 0) > 0.3);
});

test('where nothing was learned by heart, the calibrated attack is guessing', async (t) => {
  const rows = await rowsOf('membership-model', memoriser(noPatients, 0), 200);
  const [low, high] = rows.get('calibrated-auc')?.interval ?? [1, 0];
  t.true(low < 0.5 && high > 0.5, `${low} to ${high}`);
});

test('without a synthetic cohort there is no calibrated attack', async (t) => {
  const metric = metrics.get('membership-model');
  if (!metric) throw new Error('no metric');
  const parties = { train, validation: noPatients, holdout, synthetic: noPatients };
  const input = { ...parties, vocabulary, rows: [], options: {}, seed: 0, replicates: 0 };
  const { rows } = await drainAsync(scoreMetric(metric, { ...input, model: memoriser(train, 3) }, 0));
  t.true(rows.some(({ row }) => row === 'auc'));
  t.false(rows.some(({ row }) => row.startsWith('calibrated-')));
});

/** A model that gives every training patient so many nats per code or label, and all others another number. */
const fixedLoss = (seen: number, unseen: number) => async (): Promise<Sampler> => {
  const known = new Set(recordsOf(train));
  return {
    sample: async () => noPatients,
    score: async function* (columns) {
      const tally = emptyTally(patientCount(columns));
      for (const [patient, record] of recordsOf(columns).entries()) {
        tally.positives[patient] = 1 + (patient % 4);
        const nats = known.has(record) ? seen : unseen;
        tally.logProbability[patient] = -nats * (tally.positives[patient] as number);
      }
      yield { step: 1, of: 1 };
      return { ...tally, cut: 0 };
    },
    dispose: () => undefined,
  };
};

test('the gap is the difference of the mean losses per code', async (t) => {
  const rows = await rowsOf('overfitting-gap', fixedLoss(2, 3.5));
  t.is(rows.get('training-loss')?.value, 2);
  t.is(rows.get('holdout-loss')?.value, 3.5);
  t.is(rows.get('gap')?.value, 1.5);
});

test('the gap’s interval holds it, and an impossible record leaves no gap to state', async (t) => {
  const gap = (await rowsOf('overfitting-gap', memoriser(train, 3), 200)).get('gap');
  const [low, high] = gap?.interval ?? [1, 0];
  t.true(low < (gap?.value ?? Number.NaN) && (gap?.value ?? Number.NaN) < high);
  const impossible = await rowsOf('overfitting-gap', fixedLoss(2, Number.POSITIVE_INFINITY));
  t.is(impossible.get('gap')?.value, null);
  t.regex(impossible.get('gap')?.note ?? '', /no probability/);
});

test('smoothed marginals give every record a finite log-probability, and add up to one', async (t) => {
  const one = new VisitColumnsBuilder();
  one.addPatient([[0]], Uint8Array.of(1));
  const marginals = smoothedMarginals(one.build(), { codes: 2, labels: 1 }, 1);
  const all = new VisitColumnsBuilder();
  for (const label of [0, 1]) {
    all.addPatient([], Uint8Array.of(label));
    for (const visit of [[], [0], [1], [0, 1]]) all.addPatient([visit], Uint8Array.of(label));
  }
  const { logProbability } = await drainAsync(scoreByMarginals(marginals, all.build()));
  t.true(logProbability.every(Number.isFinite));
  const sum = logProbability.reduce((total, log) => total + Math.exp(log), 0);
  t.true(Math.abs(sum - 1) < 1e-12, `${sum}`);
});

test('each number of the strongest attack is the largest over all attacks, whichever attack that is', async (t) => {
  const metric = metrics.get('strongest-attack');
  if (!metric) throw new Error('no metric');
  const row = (from: string, name: string, value: number): ScoredRow => ({
    ...{ metric: from, family: 'privacy', row: name, title: name, better: 'lower', value, n: 8 },
    interval: [value - 0.1, value + 0.05],
  });
  const rows = [
    row('membership-nearest', 'auc', 0.8),
    row('membership-nearest', 'tpr-at-1-percent', 0.1),
    row('membership-model', 'calibrated-auc', 0.7),
    row('membership-model', 'calibrated-tpr-at-1-percent', 0.4),
  ];
  const parties = { train, validation: noPatients, holdout, synthetic };
  const evidence = (...found: number[]) => ({ auc: found, fewFalsePositives: found.map((z) => 2 * z) });
  const permuted = {
    'membership-nearest': { '': evidence(3, 1, 4, 0) },
    'membership-model': { 'calibrated-': evidence(2, 0, 0, 5) },
  };
  const input = { ...parties, vocabulary, rows, permuted, options: {}, seed: 0, replicates: 0 };
  const found = (await drainAsync(scoreMetric(metric, input, 0))).rows;
  t.deepEqual(
    found.map(({ row: name, value }) => [name, value]),
    [
      ['auc', 0.8],
      ['tpr-at-1-percent', 0.4],
    ],
  );
  t.regex(found[0]?.note ?? '', /^The strongest of 2 by this number: membership-nearest\./);
  t.regex(found[1]?.note ?? '', /: membership-model, calibrated\./);
  const [low] = found[0]?.interval ?? [1];
  t.true(low < 0.7, 'the lower end is lower than that of one attack');
  t.is(found[0]?.interval?.[1], 0.8 + 0.05, 'the highest end of any');
  t.is(found[0]?.pValue, 3 / 4, 'the maximum is 3, then 1, 4 and 5');
  t.is(found[1]?.pValue, 3 / 4);
  const untested = await drainAsync(scoreMetric(metric, { ...input, permuted: {} }, 0));
  t.is(untested.rows[0]?.pValue, undefined);
});
