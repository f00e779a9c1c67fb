import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { report } from '../../activities/report.ts';
import { similarity } from '../../activities/similarity.ts';
import { runStage } from '../../activities/stage-runner.ts';
import { tokenize } from '../../activities/tokenize.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import { metricsOf } from '../../pipelines/metrics/registry.ts';
import { compile } from '../../pipelines/plan/compile.ts';
import { nightly } from '../../pipelines/plan/nightly.ts';
import type { ReportData } from '../../pipelines/report/report-data.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { runConfig } from '../../schemas/run-config.ts';
import { scorecard } from '../../schemas/scorecard.ts';
import { stages } from '../../schemas/stages/index.ts';
import type { Store } from '../../schemas/store.ts';
import { localHost } from '../helpers/local-host.ts';
import { runPlanHere } from '../helpers/run-plan-here.ts';
import { without } from '../helpers/toy-plan.ts';

const source = fileURLToPath(new URL('../fixtures/mimic3-demo/', import.meta.url));
const summaryOf = async (store: Store, ref: ArtifactRef, name: string) =>
  (await store.open(ref)).manifest.summary[name];
const tools = (store: Store) => [{ store, engine: 'test' }, localHost()] as const;

const scored = (
  store: Store,
  real: ArtifactRef,
  synthetic: ArtifactRef,
  params = {},
  models: ArtifactRef[] = [],
) =>
  runStage(
    stages.similarity,
    similarity,
    { node: 'similarity', params, inputs: { real, synthetic, models } },
    ...tools(store),
  );

/** The whole branch of the baseline, on the demo tables, less the other families. */
const plan = without(
  compile(nightly, runConfig.parse({ source, generators: ['marginal'], report: { title: 'Demo' } })),
  ['utility', 'privacy'],
);

const baselineRun = async (folder: string) => {
  const store = createFileStore(folder);
  const refs = await runPlanHere(store, plan);
  const ref = (id: string): ArtifactRef => refs[id] as ArtifactRef;
  const [real, model, card] = [ref('tokenize'), ref('train:marginal'), ref('similarity:marginal')];
  return { store, real, model, synthetic: ref('generate:marginal'), card, page: ref('report') };
};

const folders: string[] = [];
const fresh = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-'));
  folders.push(folder);
  return baselineRun(folder);
};
/** One run that all tests read and none changes. */
const shared = fresh();

test.after.always(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

test('the baseline is scored against the training split and reported, twice to the same bytes', async (t) => {
  const first = await shared;
  const second = await fresh();
  t.deepEqual(second.card, first.card);
  t.deepEqual(second.page, first.page);

  const card = scorecard.parse(await (await first.store.open(first.card)).json('scorecard.json'));
  t.is(card.generator, 'marginal');
  t.is(card.cohorts.real.patients, Number(await summaryOf(first.store, first.real, 'train')));
  t.is(card.cohorts.synthetic.patients, card.cohorts.real.patients);
  t.is(new Set(card.rows.map(({ metric }) => metric)).size, metricsOf('similarity').size);
  t.true(
    Number(await summaryOf(first.store, first.card, 'Code prevalence R²')) > 0.8,
    'the baseline has single codes right',
  );
  const ofModel = ['language-model', 'imputation-perplexity'];
  const ofCohort = card.rows.filter(
    ({ metric, suppressed, value }) => !ofModel.includes(metric) && !suppressed && value !== null,
  );
  const apart = ofCohort.filter(({ holdout }) => holdout === undefined);
  t.deepEqual(
    apart.map(({ metric, row }) => [metric, row]),
    [],
    'what can be computed is computed for the holdout, too',
  );
  const foreseen = card.rows.find(({ metric, row }) => metric === 'language-model' && row === 'train-bce');
  t.true((foreseen?.value ?? 0) > 0, 'the stage opens the model');

  const artifact = await first.store.open(first.page);
  const page = Buffer.from(await artifact.bytes('report.html')).toString();
  t.regex(page, /<title>Demo<\/title>/);
  const data = (await artifact.json('report.json')) as ReportData;
  t.deepEqual(
    data.lineage.map(({ title }) => title),
    ['extract', 'assemble', 'tokenize', 'train marginal', 'generate marginal', 'similarity marginal'],
  );
  t.true((data.frequencies[0]?.panels[0]?.points.length ?? 0) > 20);
  const [, ...points] = data.frequencies.flatMap(({ panels }) => panels.flatMap(({ points }) => points));
  t.true(
    points.every(({ real }) => real >= 11 / data.real.patients),
    'rare codes and pairs are not named',
  );
});

test('only the metrics asked for are computed, and a wrong name says which there are', async (t) => {
  const { store, real, synthetic } = await shared;
  const some = await scored(store, real, synthetic, { metrics: ['codes-per-visit'] });
  const card = scorecard.parse(await (await store.open(some.ref)).json('scorecard.json'));
  t.deepEqual([...new Set(card.rows.map(({ metric }) => metric))], ['codes-per-visit']);
  await t.throwsAsync(scored(store, real, synthetic, { metrics: ['codes'] }), {
    name: 'InvalidConfig',
    message: /no similarity metric "codes".* \(there are: .*code-pairs.*, code-prevalence/,
  });
});

test('a cohort in another vocabulary is refused', async (t) => {
  const { store, real } = await shared;
  const { ref: cohort } = await store.open(real).then(({ manifest }) => ({
    ref: manifest.lineage.inputs['cohort']?.[0] as ArtifactRef,
  }));
  const other = await runStage(
    stages.tokenize,
    tokenize,
    { node: 'tokenize', params: { modalities: ['dx'] }, inputs: { cohort } },
    ...tools(store),
  );
  await t.throwsAsync(scored(store, real, other.ref), {
    name: 'InvalidConfig',
    message: /another vocabulary/,
  });
});

test('a report of a run in which no generator came through still says what was made', async (t) => {
  const { store, real, model } = await shared;
  const page = await runStage(
    stages.report,
    report,
    { node: 'report', params: {}, inputs: { real: real, models: [model], synthetic: [], cards: [] } },
    ...tools(store),
  );
  const text = Buffer.from(await (await store.open(page.ref)).bytes('report.html')).toString();
  t.regex(text, /No generator reached a scorecard/);
  t.regex(text, /train marginal/);
});
