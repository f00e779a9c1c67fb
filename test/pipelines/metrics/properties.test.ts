import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import { metricsOf } from '../../../pipelines/metrics/registry.ts';
import { golden, type Patient } from './golden-cohorts.ts';
import { dealt, gainOf, leadingRow, score, train, unseen } from './scored-parties.ts';

const a = golden<Patient[]>('cohort_a.json');
const [half, otherHalf] = [a.slice(0, 200), a.slice(200)];

/** Judged by another row than usual, where that one is about too few keys here to tell anything. */
const judgedBy: Record<string, string> = { 'sequential-pairs-by-modality': 'dx-record-r2' };

/** What dealing out codes anew cannot make worse: it is about single codes, labels, lengths, or the model. */
const untouched = new Set([
  'duplicates',
  'imputation-perplexity',
  'lab-values',
  'label-prevalence',
  'language-model',
  'plausibility',
  'visit-gaps',
  'visits-per-record',
]);

const real = score('similarity', { train: half, synthetic: otherHalf });
const shuffled = score('similarity', { train: half, synthetic: dealt(otherHalf) });

for (const metric of metricsOf('similarity').values())
  test(`${metric.name}: two real halves are more alike than one of them shuffled`, async (t) => {
    const row = judgedBy[metric.name];
    const [better, worse] = [await real, await shuffled].map(({ rows }) => leadingRow(metric, rows, row));
    if (!better || !worse) throw new Error('two cohorts');
    const gain = gainOf(better, worse);
    const told = `${better.row}: ${better.value} against ${worse.value}`;
    t.true(untouched.has(metric.name) ? Number.isFinite(gain) : gain > 0, told);
  });

await startBackend();

/** Patients nobody trained on and nobody in training is like, a fifth of them replaced by copies. */
const strangers = unseen.filter(
  ({ visits }) => !train.some((other) => JSON.stringify(other.visits) === JSON.stringify(visits)),
);
const copied = Math.floor(strangers.length / 5);
const planted = [...strangers.slice(copied), ...train.slice(0, copied)];
const clean = score('privacy', { synthetic: strangers });
const leaking = score('privacy', { synthetic: planted });

/** What a fifth of copies need not move: it rests on what a trained model, or the model itself, makes of all. */
const unmoved = new Set([
  'attribute-imputation',
  'identity-disclosure',
  'membership-density-ratio',
  'membership-model',
  'overfitting-gap',
]);

for (const metric of metricsOf('privacy').values())
  test(`${metric.name}: copies of training patients are a leak`, async (t) => {
    const [better, worse] = [await clean, await leaking].map(({ rows }) => leadingRow(metric, rows));
    if (!better || !worse) throw new Error('two cohorts');
    const gain = gainOf(better, worse);
    const told = `${better.row}: ${better.value} against ${worse.value}`;
    t.true(unmoved.has(metric.name) ? Number.isFinite(gain) : gain > 0, told);
  });

test('planted copies raise exactly the rates they should', async (t) => {
  const value = async (of: typeof clean, metric: string, row: string) =>
    (await of).rows.find((found) => found.metric === metric && found.row === row)?.value ?? Number.NaN;
  const share = copied / strangers.length;
  t.is(await value(clean, 'copies', 'exact'), 0);
  t.is(await value(leaking, 'copies', 'exact'), share);
  t.is(await value(leaking, 'copies', 'exact-excess'), share);
  const rise = async (row: string) =>
    (await value(leaking, 'nearest-neighbor-accuracy', row)) -
    (await value(clean, 'nearest-neighbor-accuracy', row));
  t.true(
    (await rise('loss')) > share / 2,
    'every copy is nearer to its original than to its own kind, and back',
  );
  t.true((await rise('reference-halo-loss')) < (await rise('loss')), 'the published form passes over them');
});
