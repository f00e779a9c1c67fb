import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import type { Sampler } from '../../../pipelines/generation/generator.ts';
import { haloSampler } from '../../../pipelines/generators/halo/sampling/sampler.ts';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import { metrics } from '../../../pipelines/metrics/registry.ts';
import { scoreMetric } from '../../../pipelines/metrics/score-metric.ts';
import { noPatients } from '../../helpers/patients.ts';
import { goldenHalo, openTiny, tiny } from '../generators/halo/network/golden.ts';
import { vocabularyOf } from './golden-cohorts.ts';

test.before(() => startBackend());

const found = async (name: string, model: () => Promise<Sampler>) => {
  const metric = metrics.get(name);
  if (!metric) throw new Error(`no metric ${name}`);
  const { columns } = await goldenHalo();
  const parties = { train: columns, validation: noPatients, holdout: columns, synthetic: noPatients };
  const vocabulary = vocabularyOf(tiny.codes, tiny.labels);
  const input = { ...parties, vocabulary, model, rows: [], options: {}, seed: 0, replicates: 20 };
  return (await drainAsync(scoreMetric(metric, input, 0))).rows;
};
const halo = async () => haloSampler(await openTiny(13));

test('the reference rows are the numbers of the reference', async (t) => {
  const { test_model_metrics_12_patients: golden } = await goldenHalo();
  const rows = await found('language-model', halo);
  const row = (name: string) => rows.find((each) => each.row === name);
  for (const [name, expected] of [
    ['reference-perplexity', golden.pp_positive],
    ['reference-perplexity-possible', golden.pp_possible],
    ['reference-f1', golden.f1],
  ] as const)
    t.true(Math.abs((row(name)?.value ?? 0) / expected - 1) < 1e-5, name);
  t.is(row('gap')?.value, 0, 'the same patients on both sides');
  t.is(row('train-bce')?.value, row('bce')?.value);
  const [low, high] = row('bce')?.interval ?? [0, 0];
  t.true(low < (row('bce')?.value ?? 0) && (row('bce')?.value ?? 0) < high);
});

test('an attack on patients who are on both sides is guessing', async (t) => {
  const rows = await found('membership-model', halo);
  for (const { row, value } of rows.filter((each) => /(^|-)auc$/.test(each.row))) t.is(value, 0.5, row);
  t.true(rows.some(({ row }) => row === 'reference-halo-auc'));
});

test('a model that only draws gives a sentence, and is closed', async (t) => {
  let closed = 0;
  const drawing: Sampler = { sample: async () => noPatients, dispose: () => closed++ };
  for (const name of ['language-model', 'membership-model'])
    for (const { value, note } of await found(name, async () => drawing)) {
      t.is(value, null);
      t.regex(note ?? '', /^This model defines no probability of a record, .*\.$/);
    }
  t.is(closed, 2);
});
