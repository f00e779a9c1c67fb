import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { importModel } from '../../activities/import-model.ts';
import { runStage } from '../../activities/stage-runner.ts';
import { train } from '../../activities/train.ts';
import { startBackend } from '../../infra/backend.ts';
import { importCheckpoint } from '../../pipelines/exchange/models/import-checkpoint.ts';
import { modelFileNames } from '../../pipelines/generation/model-file.ts';
import promptehr from '../../pipelines/generators/promptehr.ts';
import { decodeSaved, encodeSafetensors } from '../../pipelines/kernel/safetensors.ts';
import { traceLineage } from '../../pipelines/report/lineage-trace.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { stages } from '../../schemas/stages/index.ts';
import type { Store } from '../../schemas/store.ts';
import { localHost } from '../helpers/local-host.ts';
import { storeWithCohort } from '../helpers/planted-store.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { planted, quickSettings } from '../pipelines/generators/planted-cohort.ts';

test.before(async () => {
  await startBackend();
});

const engine = 'test';
const paramsOf = (generator: string, changes: object = {}) => ({
  generator,
  seed: 3,
  checkpointEvery: 0,
  config: { ...Object(quickSettings[generator]), epochs: 2, batch: 16, ...changes },
});

const trained = (
  store: Store,
  inputs: Record<string, ArtifactRef | ArtifactRef[]>,
  params: object,
  host = localHost(),
) => runStage(stages.train, train, { node: 'train', params, inputs }, { store, engine }, host);

const imported = (store: Store, model: string, generator: string) => {
  const task = { node: `import-model:${generator}`, params: { model, generator }, inputs: {} };
  return runStage(stages['import-model'], importModel, task, { store, engine }, localHost());
};

/** A model artifact as a folder outside the store, and beside its manifest, as it lies in one. */
const copied = async (t: ExecutionContext, store: Store, ref: ArtifactRef): Promise<string> => {
  const folder = join(await tempFolder(t), 'model');
  const artifact = await store.open(ref);
  await cp(dirname(await artifact.path('model.json')), folder, { recursive: true });
  return folder;
};

const curveOf = async (store: Store, ref: ArtifactRef) =>
  (await (await store.open(ref)).json('curve.json')) as { loss: number; validationLoss: number }[];

for (const generator of ['halo', 'promptehr'])
  test.serial(
    `${generator}: a training starts from a model of another run, and breaks do not show`,
    async (t) => {
      const first = await storeWithCohort(t);
      const long = paramsOf(generator, { epochs: 12 });
      const before = await trained(first.store, { cohort: first.cohort }, long);
      const folder = await copied(t, first.store, before.ref);

      const { store, cohort } = await storeWithCohort(t);
      const model = await imported(store, folder, generator);
      t.like(model.summary, { generator, codes: 12 });
      const artifact = await store.open(model.ref);
      for (const file of modelFileNames)
        t.deepEqual(Buffer.from(await artifact.bytes(file)), await readFile(join(folder, file)));
      t.true(
        (await imported(store, `${folder}/`, generator)).cached,
        'the same content elsewhere is the same model',
      );

      const scratch = await trained(store, { cohort }, paramsOf(generator));
      const inputs = { cohort, from: [model.ref] };
      const { ref } = await trained(store, inputs, paramsOf(generator));
      const [cold, warm] = [await curveOf(store, scratch.ref), await curveOf(store, ref)];
      const [a, b] = [cold[0]?.loss ?? 0, warm[0]?.loss ?? Number.NaN];
      t.true(b < 0.7 * a, `first epoch: ${b} from the model, ${a} from nothing`);
      const steps = await traceLineage([ref], store.open);
      t.true(steps.some(({ title }) => title === `import-model ${generator}`));

      // Of the store itself: as good, and what made it stays in the lineage.
      const within = { cohort: first.cohort, from: [before.ref] };
      const direct = await trained(first.store, within, paramsOf(generator));
      t.deepEqual(await curveOf(first.store, direct.ref), warm);
      const made = (await traceLineage([direct.ref], first.store.open)).map(({ title }) => title);
      t.deepEqual(made, ['tokenize', `train ${generator}`, `train ${generator}`]);

      const other = await storeWithCohort(t);
      const again = await imported(other.store, folder, generator);
      t.deepEqual(again.ref, model.ref);
      const same = { cohort: other.cohort, from: [again.ref] };
      await t.throwsAsync(() => trained(other.store, same, paramsOf(generator), localHost({ stopAfter: 3 })));
      const host = localHost({ attempt: 2 });
      t.deepEqual((await trained(other.store, same, paramsOf(generator), host)).ref, ref);
      t.is(host.steps[0], 4);
    },
  );

/** A trained model as the paper's code would have saved it: no ends among what heads say, a tokenizer, no brackets of visits. */
const asPublished = async (store: Store, ref: ArtifactRef, folder: string) => {
  const { arrays } = decodeSaved(await (await store.open(ref)).bytes('weights.safetensors'));
  const head = arrays['lm_head.dx.weight'] ?? { shape: [0, 0], data: new Float32Array(0) };
  const [rows = 0, width = 0] = head.shape;
  const tensors = {
    ...arrays,
    'lm_head.diag.weight': {
      shape: [rows - 1, width],
      data: Float32Array.from(head.data.subarray(width), Number),
    },
  };
  const codes = Array.from({ length: 12 }, (_, code) => [`diag_${code}`, 8 + code]);
  const marks = { '<s>': 1, '<pad>': 0, '</s>': 2, '<mask>': 3, '<diag>': 6, '</diag>': 7 };
  const file = join(folder, 'published.safetensors');
  await writeFile(file, encodeSafetensors(tensors));
  return { file, tokens: { ...marks, ...Object.fromEntries(codes) } };
};

test.serial(
  'promptehr: weights in the names of the paper’s code, imported, start far below fresh ones',
  async (t) => {
    const { store, cohort } = await storeWithCohort(t);
    const folder = await tempFolder(t);
    const bare = { prompts: { labels: [] }, order: 'shuffled', tied: false, corruption: { share: 0 } };
    const before = await trained(store, { cohort }, paramsOf('promptehr', { ...bare, epochs: 12 }));
    const { file, tokens } = await asPublished(store, before.ref, folder);
    const given = { vocabulary: { tokens }, options: { heads: 2 }, seed: 1 };
    const { files } = await importCheckpoint(promptehr, file, given);
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    const model = await imported(store, folder, 'promptehr');
    t.is(model.summary['importedFrom'], 'published.safetensors');
    const once = paramsOf('promptehr', { ...bare, epochs: 1 });
    const scratch = await trained(store, { cohort }, once);
    const started = await trained(store, { cohort, from: [model.ref] }, once);
    t.like(started.summary, { codesTaken: 12, codesFresh: 0 });
    const [cold, warm] = [await curveOf(store, scratch.ref), await curveOf(store, started.ref)];
    const [a, b] = [cold[0]?.loss ?? 0, warm[0]?.loss ?? Number.NaN];
    t.true(b < 0.7 * a, `${b} from the imported weights, ${a} from fresh ones`);
  },
);

test.serial('what is no model to start from is refused, saying why', async (t) => {
  const { store, cohort } = await storeWithCohort(t);
  const marginal = await trained(store, { cohort }, { generator: 'marginal' });
  const halo = await trained(store, { cohort }, paramsOf('halo'));
  const folder = await copied(t, store, halo.ref);
  const refused = (work: () => Promise<unknown>, name: string, message: RegExp) =>
    t.throwsAsync(work, { name, message });
  const from =
    (refs: ArtifactRef[], params: object = paramsOf('halo'), to = cohort) =>
    () =>
      trained(store, { cohort: to, from: refs }, params);

  await refused(from([marginal.ref]), 'InvalidConfig', /a model of halo expected, found marginal/);
  await refused(from([halo.ref, halo.ref]), 'InvalidConfig', /halo starts from one model, found 2/);
  await refused(from([halo.ref], { generator: 'marginal' }), 'InvalidConfig', /marginal starts from none/);
  await refused(
    from([halo.ref], paramsOf('halo', { embedding: 32 })),
    'InvalidConfig',
    /embedding is 32 in the config and 16 in the model/,
  );
  await refused(
    from([halo.ref], paramsOf('halo', { maxVisits: 40 })),
    'InvalidConfig',
    /maxVisits is 40 in the config, and the model it is to start from has positions for 3 visits/,
  );

  await refused(
    () => imported(store, folder, 'promptehr'),
    'InvalidConfig',
    /is a model of halo, and promptehr can start from its own models only/,
  );
  const words = join(folder, 'vocabulary.json');
  const { vocabulary } = planted();
  await writeFile(words, JSON.stringify({ ...vocabulary, labels: ['x'] }));
  await refused(
    () => imported(store, folder, 'halo'),
    'SourceMalformed',
    /not the vocabulary that model\.json names/,
  );
  await writeFile(join(folder, 'weights.safetensors'), 'none');
  await writeFile(words, JSON.stringify(vocabulary));
  await refused(() => imported(store, folder, 'halo'), 'ArtifactCorrupt', /not a safetensors file/);
  await writeFile(join(folder, 'model.json'), '{}');
  await refused(() => imported(store, folder, 'halo'), 'SourceMalformed', /another shape than ours/);
  await rm(join(folder, 'curve.json'));
  await refused(() => imported(store, folder, 'halo'), 'SourceMissing', /curve\.json cannot be read there/);

  const reordered = { ...vocabulary, codes: vocabulary.codes.toReversed() };
  const other = await storeWithCohort(t, reordered);
  const reader = {
    ...other.store,
    open: async (ref: ArtifactRef) => (ref.kind === 'model' ? store.open(ref) : other.store.open(ref)),
  };
  await refused(
    () => trained(reader, { cohort: other.cohort, from: [halo.ref] }, paramsOf('halo')),
    'InvalidConfig',
    /speaks another vocabulary \(12 codes, 2 labels\).* or another order/,
  );
});
