import { fileURLToPath } from 'node:url';
import test from 'ava';
import { compilePlan } from '../../activities/compile-plan.ts';
import { startBackend } from '../../infra/backend.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import { modelCard } from '../../pipelines/generation/model-file.ts';
import type { ReportData } from '../../pipelines/report/report-data.ts';
import { readTokenCohort } from '../../pipelines/tokens/token-cohort-file.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { scorecard } from '../../schemas/scorecard.ts';
import { runPlanHere } from '../helpers/run-plan-here.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

test.before(async () => {
  await startBackend();
});

const quick = {
  halo: { layers: 1, heads: 2, embedding: 16, epochs: 2 },
  promptehr: {
    ...{ width: 16, encoderLayers: 1, decoderLayers: 1, attentionHeads: 2, feed: 16, promptHidden: 4 },
    ...{ epochs: 1, contextTokens: 60, calibration: 0 },
  },
};

const config = {
  name: 'two',
  source: fileURLToPath(new URL('../fixtures/mimic3-demo/', import.meta.url)),
  generators: Object.entries(quick).map(([name, config]) => ({ name, config })),
  tokens: { modalities: ['dx', 'px'] },
  generate: { patients: 20 },
  similarity: { metrics: ['code-prevalence', 'code-pairs'], replicates: 0 },
  utility: { metrics: ['rare-conditions'], replicates: 0 },
  privacy: { metrics: ['copies', 'membership-nearest'], replicates: 0 },
  report: { title: 'Two generators' },
};

test('HALO and PromptEHR go from the demo’s tables to one report', async (t) => {
  const store = createFileStore(await tempFolder(t));
  const refs = await runPlanHere(store, await compilePlan(config, store));
  for (const name of ['halo', 'promptehr']) {
    const card = modelCard.parse(
      await (await store.open(refs[`train:${name}`] as ArtifactRef)).json('model.json'),
    );
    t.is(card.generator, name);
    t.true(card.parameters > 10_000);
    const drawn = await readTokenCohort(await store.open(refs[`generate:${name}`] as ArtifactRef));
    t.is(drawn.visitOffsets.length - 1, 20);
    t.true(drawn.codes.length > 100);
    for (const family of ['similarity', 'utility', 'privacy']) {
      const artifact = await store.open(refs[`${family}:${name}`] as ArtifactRef);
      const { rows, generator } = scorecard.parse(await artifact.json('scorecard.json'));
      t.is(generator, name);
      t.true(rows.length > 0, `${family} of ${name}`);
    }
  }
  const page = await (await store.open(refs['report'] as ArtifactRef)).bytes('report.html');
  for (const name of ['halo', 'promptehr']) t.true(Buffer.from(page).includes(name));
});

const again = {
  ...config,
  generators: [
    { name: 'marginal', as: 'independent' },
    { name: 'halo', config: quick.halo },
    { name: 'halo', as: 'halo-wide', config: { ...quick.halo, embedding: 32 } },
    { name: 'halo', as: 'halo-again', config: quick.halo },
    { name: 'halo-coarse', config: quick.halo },
  ],
  tokens: { modalities: ['dx'] },
  similarity: { metrics: ['code-pairs', 'language-model'], replicates: 0 },
  utility: { metrics: [] },
};

test('HALO beside HALO with other settings and HALO-Coarse in one report; equal settings train once', async (t) => {
  const store = createFileStore(await tempFolder(t));
  const refs = await runPlanHere(store, await compilePlan(again, store));
  const json = async (node: string, file: string) => (await store.open(refs[node] as ArtifactRef)).json(file);
  t.deepEqual(refs['train:halo-again'], refs['train:halo']);
  t.deepEqual(refs['generate:halo-again'], refs['generate:halo']);
  t.notDeepEqual(refs['train:halo-wide'], refs['train:halo']);
  t.like(await json('train:halo-wide', 'model.json'), { generator: 'halo' });
  t.like(await json('generate:halo-wide', 'token-cohort.json'), { generator: 'halo' });

  const branches = ['independent', 'halo', 'halo-wide', 'halo-again', 'halo-coarse'];
  const likelihoods = new Map<string, number | null>();
  for (const name of branches) {
    const card = scorecard.parse(await json(`similarity:${name}`, 'scorecard.json'));
    t.is(card.generator, name);
    t.true(card.rows.every(({ generator }) => generator === name));
    t.is(card.baseline, name === 'independent' ? true : undefined);
    const row = card.rows.find(({ metric, value }) => metric === 'language-model' && value !== null);
    likelihoods.set(name, row?.value ?? null);
  }
  t.is(likelihoods.get('halo'), likelihoods.get('halo-again'));
  t.not(likelihoods.get('halo'), likelihoods.get('halo-wide'), 'each cohort is scored with its own model');

  const data = (await json('report', 'report.json')) as ReportData;
  t.deepEqual(
    data.generators.filter(({ isBaseline }) => isBaseline).map(({ name }) => name),
    ['independent'],
  );
  t.deepEqual(data.generators.map(({ name }) => name).sort(), branches.toSorted());
  t.true(data.generators.every(({ origin }) => origin?.seedMode === 'cold'));
  t.deepEqual(data.curves.map(({ generator }) => generator).sort(), branches.toSorted());
  const titles = data.lineage.map(({ title }) => title);
  for (const title of [
    'train independent',
    'train halo, halo-again',
    'generate halo-wide',
    'privacy halo-again',
  ])
    t.true(titles.includes(title), title);
});

test('two cohorts of one name are not taken for one', async (t) => {
  const store = createFileStore(await tempFolder(t));
  const { nodes, ...plan } = await compilePlan(
    {
      ...again,
      generators: again.generators.slice(0, 2),
      privacy: { metrics: [] },
    },
    store,
  );
  const renamed = nodes.map((node) =>
    node.stage === 'similarity' ? { ...node, params: { ...Object(node.params), branch: 'same' } } : node,
  );
  await t.throwsAsync(runPlanHere(store, { ...plan, nodes: renamed }), {
    message: /InvalidConfig: .*two cohorts called same/,
  });
});
