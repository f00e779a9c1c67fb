import { fileURLToPath } from 'node:url';
import test from 'ava';
import { loadConfig } from '../../infra/cli/load-config.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import { modelCard } from '../../pipelines/generation/model-file.ts';
import { compile } from '../../pipelines/plan/compile.ts';
import { nightly } from '../../pipelines/plan/nightly.ts';
import type { ReportData } from '../../pipelines/report/report-data.ts';
import { runConfig } from '../../schemas/run-config.ts';
import { scorecard } from '../../schemas/scorecard.ts';
import { runPlanHere } from '../helpers/run-plan-here.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const example = fileURLToPath(new URL('../../infra/examples/training-size.yaml', import.meta.url));
const source = fileURLToPath(new URL('../fixtures/mimic3-demo/', import.meta.url));

test('the example is a plan with a branch for each size', async (t) => {
  const { nodes } = compile(nightly, await loadConfig(example));
  const trained = nodes.filter(({ stage }) => stage === 'train');
  t.deepEqual(
    trained.map(({ id }) => id),
    [
      'train:marginal',
      'train:halo',
      ...['train:promptehr@12.5%', 'train:promptehr@25%', 'train:promptehr@50%', 'train:promptehr'],
    ],
  );
  t.like(trained[2]?.params, { generator: 'promptehr', patients: 0.125 });
  t.false(
    Object.hasOwn(Object(trained.at(-1)?.params), 'patients'),
    'all of them: as in a run without sizes',
  );
  t.is(nodes.filter(({ stage }) => stage === 'privacy').length, 6);
  t.true(trained.every(({ required }) => !required));
});

test('a run with two sizes and a number gives the figure its data', async (t) => {
  const run = runConfig.parse({
    source,
    generators: [{ name: 'marginal', trainingSizes: [0.25, 40, 1] }],
    similarity: { metrics: ['code-pairs', 'language-model'], replicates: 10 },
    utility: { metrics: [] },
    privacy: { metrics: ['membership-nearest', 'membership-model', 'strongest-attack'], replicates: 10 },
    report: { suppressBelow: 0 },
  });
  const store = createFileStore(await tempFolder(t));
  const refs = await runPlanHere(store, compile(nightly, run));
  const read = async (id: string, file: string): Promise<unknown> => {
    const ref = refs[id];
    if (!ref) throw new Error(`${id} has no output`);
    return (await store.open(ref)).json(file);
  };

  const small = modelCard.parse(await read('train:marginal@25%', 'model.json'));
  const whole = modelCard.parse(await read('train:marginal', 'model.json'));
  const of = small.subset?.of ?? 0;
  t.true(of > 60);
  t.deepEqual(small.subset, { name: 'marginal@25%', patients: Math.round(of / 4), of });
  t.is(whole.subset, undefined);

  const card = scorecard.parse(await read('similarity:marginal@25%', 'scorecard.json'));
  t.is(card.generator, 'marginal@25%');
  t.is(card.cohorts.real.patients, of, 'compared with all training patients');
  t.is(card.cohorts.synthetic.patients, of, 'as many drawn as from a model of all');
  t.true(
    card.rows.some(({ metric, value }) => metric === 'language-model' && value !== null),
    'the model opens',
  );

  const attacked = scorecard.parse(await read('privacy:marginal@25%', 'scorecard.json'));
  const nOf = (metric: string) =>
    attacked.rows.find((row) => row.metric === metric && row.row === 'auc')?.n ?? 0;
  t.is(nOf('membership-model'), nOf('membership-nearest'));
  const recall = attacked.rows.find(
    ({ metric, row }) => metric === 'membership-model' && row === 'median-recall',
  );
  t.true((recall?.n ?? of) <= Math.round(of / 4), 'members are the patients it was trained on');

  const data = (await read('report', 'report.json')) as ReportData;
  t.deepEqual(data.generators.map(({ name }) => name).sort(), ['marginal', 'marginal@25%', 'marginal@40']);
  const pairs = data.sizes.find(({ metric }) => metric === 'code-pairs');
  t.deepEqual(
    pairs?.lines[0]?.points.map(({ name, patients }) => [name, patients]),
    [
      ['marginal@25%', Math.round(of / 4)],
      ['marginal@40', 40],
      ['marginal', of],
    ],
  );
  t.true(data.sizes.some(({ metric }) => metric === 'strongest-attack'));
  t.true(data.lineage.some(({ title }) => title === 'generate marginal@25%'));
});
