import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { assemble } from '../../activities/assemble.ts';
import { extract } from '../../activities/extract.ts';
import { generate } from '../../activities/generate.ts';
import { similarity } from '../../activities/similarity.ts';
import type { StageBody } from '../../activities/stage-body.ts';
import { runStage } from '../../activities/stage-runner.ts';
import { tokenize } from '../../activities/tokenize.ts';
import { train } from '../../activities/train.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import { modelCard } from '../../pipelines/generation/model-file.ts';
import { readTokenCohort, tokenCohortHeader } from '../../pipelines/tokens/token-cohort-file.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { scorecard } from '../../schemas/scorecard.ts';
import type { Stage } from '../../schemas/stage.ts';
import { stages } from '../../schemas/stages/index.ts';
import { localHost } from '../helpers/local-host.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const source = fileURLToPath(new URL('../fixtures/mimic3-demo/', import.meta.url));

const runner = async (t: ExecutionContext) => {
  const store = createFileStore(await tempFolder(t));
  const run = <S extends Stage>(
    stage: S,
    body: StageBody<S>,
    inputs: Record<string, ArtifactRef | ArtifactRef[]>,
    params: object = {},
  ) => runStage(stage, body, { node: stage.name, params, inputs }, { store, engine: 'test' }, localHost());
  return { store, run };
};

test('from tables to scored lab values: ranges, numbers, rules and order are all told', async (t) => {
  const { store, run } = await runner(t);
  const events = await run(stages.extract, extract, {}, { source });
  const cohort = await run(stages.assemble, assemble, { events: events.ref });
  const real = await run(
    stages.tokenize,
    tokenize,
    { cohort: cohort.ref },
    {
      modalities: ['dx', 'px', 'lab'],
      labs: 'buckets',
      gaps: true,
      order: 'alphabetical',
      buckets: { leastPatients: 5 },
    },
  );
  t.true(Number(real.summary['ranges']) > 300);
  const model = await run(stages.train, train, { cohort: real.ref }, { generator: 'marginal' });
  t.is(modelCard.parse(await (await store.open(model.ref)).json('model.json')).order, 'alphabetical');
  const inputs = { model: model.ref, cohort: real.ref };
  const synthetic = await run(stages.generate, generate, inputs, { rules: 'remove', batch: 16 });
  const artifact = await store.open(synthetic.ref);
  const header = tokenCohortHeader.parse(await artifact.json('token-cohort.json'));
  t.is(header.order, 'alphabetical');
  t.deepEqual(Object.keys(header.changed ?? {}), [
    'both-sexes',
    'newborn-adult',
    'born-later',
    'left-without-codes',
    'second-range-of-a-test',
    'second-gap',
    'gap-before-first-visit',
  ]);
  t.is(synthetic.summary['both-sexes, codes removed'], header.changed?.['both-sexes']?.['codes']);
  const { values, codes } = await readTokenCohort(artifact);
  t.is(values?.length, codes.length);

  const other = await run(stages.generate, generate, inputs, { rules: 'remove', batch: 7 });
  const again = await readTokenCohort(await store.open(other.ref));
  t.deepEqual([again.codes, again.values], [codes, values]);

  const metrics = ['lab-values', 'visit-gaps', 'plausibility'];
  const card = await run(
    stages.similarity,
    similarity,
    { real: real.ref, synthetic: synthetic.ref, models: [model.ref] },
    { metrics, replicates: 20 },
  );
  const { rows } = scorecard.parse(await (await store.open(card.ref)).json('scorecard.json'));
  const of = (metric: string, row: string) =>
    rows.find((found) => found.metric === metric && found.row === row);
  t.true((of('lab-values', 'presence-r2')?.value ?? 0) > 0.5);
  t.true((of('lab-values', 'shift')?.value ?? 9) < 1);
  t.is(of('lab-values', 'shift')?.interval?.length, 2);
  t.truthy(of('visit-gaps', 'mean'));
  t.is(of('plausibility', 'both-sexes')?.value ?? 0, 0);
});
