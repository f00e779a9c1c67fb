import test from 'ava';
import { generate } from '../../activities/generate.ts';
import { runStage } from '../../activities/stage-runner.ts';
import { train } from '../../activities/train.ts';
import { startBackend } from '../../infra/backend.ts';
import { learningCurve } from '../../pipelines/generation/learning-curve.ts';
import { modelCard } from '../../pipelines/generation/model-file.ts';
import { readTokenCohort, tokenCohortHeader } from '../../pipelines/tokens/token-cohort-file.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { stages } from '../../schemas/stages/index.ts';
import type { Store } from '../../schemas/store.ts';
import { localHost } from '../helpers/local-host.ts';
import { storeWithCohort } from '../helpers/planted-store.ts';
import { planted } from '../pipelines/generators/planted-cohort.ts';

test.before(async () => {
  await startBackend();
});

const engine = 'test';
const halo = {
  generator: 'halo',
  seed: 3,
  checkpointEvery: 0,
  config: { layers: 1, heads: 2, embedding: 16, batch: 16, epochs: 3 },
};

const trained = (store: Store, cohort: ArtifactRef, params: object = halo, host = localHost()) =>
  runStage(stages.train, train, { node: 'train', params, inputs: { cohort } }, { store, engine }, host);
const generated = (
  store: Store,
  model: ArtifactRef,
  cohort: ArtifactRef,
  params: object,
  host = localHost(),
) =>
  runStage(
    stages.generate,
    generate,
    { node: 'generate', params, inputs: { model, cohort } },
    { store, engine },
    host,
  );

test.serial('training broken off after any step ends in the same bytes', async (t) => {
  const { store, cohort } = await storeWithCohort(t);
  const whole = await trained(store, cohort);
  for (const stopAfter of [1, 4, 7]) {
    const other = await storeWithCohort(t);
    await t.throwsAsync(() => trained(other.store, other.cohort, halo, localHost({ stopAfter })));
    const host = localHost({ attempt: 2 });
    const { ref } = await trained(other.store, other.cohort, halo, host);
    t.deepEqual(ref, whole.ref);
    t.is(host.steps[0], stopAfter + 1);
  }
});

test.serial('the model says what it is, and its curve has a point per epoch', async (t) => {
  const { store, cohort } = await storeWithCohort(t);
  const { ref, summary } = await trained(store, cohort);
  t.like(summary, { generator: 'halo', steps: 12 });
  const artifact = await store.open(ref);
  const card = modelCard.parse(await artifact.json('model.json'));
  t.like(card, { generator: 'halo', seed: 3, tokens: 12, config: halo.config });
  t.is(card.settings['learningRate'], 0.001);
  const curve = learningCurve.parse(await artifact.json('curve.json'));
  t.deepEqual(
    curve.map(({ step, epoch, batches }) => [step, epoch, batches]),
    [
      [4, 1, 4],
      [8, 2, 4],
      [12, 3, 4],
    ],
  );
  t.true(curve.every(({ validationLoss }) => validationLoss !== undefined));
});

test.serial(
  'a synthetic cohort has the training size, speaks the vocabulary, and survives a break',
  async (t) => {
    const { store, cohort } = await storeWithCohort(t);
    const model = await trained(store, cohort, { generator: 'marginal' });
    const { ref, summary } = await generated(store, model.ref, cohort, { batch: 7 });
    const synthetic = await readTokenCohort(await store.open(ref));
    t.is(synthetic.visitOffsets.length - 1, 60);
    t.is(synthetic.generator, 'marginal');
    t.deepEqual(synthetic.vocabulary, planted().vocabulary);
    t.like(summary, { patients: 60, codes: synthetic.codes.length });

    const params = { batch: 7, seed: 1, patients: 30 };
    const unbroken = await generated(store, model.ref, cohort, params);
    const other = await storeWithCohort(t);
    const again = await trained(other.store, other.cohort, { generator: 'marginal' });
    await t.throwsAsync(() =>
      generated(other.store, again.ref, other.cohort, params, localHost({ stopAfter: 14 })),
    );
    t.deepEqual((await generated(other.store, again.ref, other.cohort, params)).ref, unbroken.ref);
  },
);

test.serial('the batch does not change who is drawn', async (t) => {
  const { store, cohort } = await storeWithCohort(t);
  const model = await trained(store, cohort);
  const draw = async (batch: number) => {
    const { ref } = await generated(store, model.ref, cohort, { batch });
    return readTokenCohort(await store.open(ref));
  };
  t.deepEqual(await draw(1), await draw(1000));
});

test.serial('labels asked for are given, and how patients were drawn is told', async (t) => {
  const { store, cohort } = await storeWithCohort(t);
  for (const generator of ['marginal', 'halo']) {
    const model = await trained(store, cohort, {
      ...halo,
      generator,
      config: {},
      ...(generator === 'halo' && halo),
    });
    const { ref, summary } = await generated(store, model.ref, cohort, {
      labels: { noise: 1 },
      patients: 40,
    });
    const artifact = await store.open(ref);
    const { labels } = await readTokenCohort(artifact);
    const column = (label: number) => labels.filter((_, i) => i % 2 === label);
    t.true(column(1).every((value) => value === 1));
    t.deepEqual([...new Set(column(0))].sort(), [0, 1], 'the other label is drawn');
    const header = tokenCohortHeader.parse(await artifact.json('token-cohort.json'));
    const { copiedCodeFraction = -1, copiedByChance = -1 } = header;
    t.is(header.seedMode, 'cold');
    t.true(Math.abs(copiedCodeFraction - copiedByChance) < 0.15 && copiedByChance > 0);
    t.like(summary, { seedMode: 'cold', copiedCodeFraction, copiedByChance });
  }
  const model = await trained(store, cohort, { generator: 'marginal' });
  for (const [params, message] of [
    [{ labels: { flu: 1 } }, /no label "flu" \(there are: first, noise\)/],
    [{ demographics: { sex: 'F' } }, /no fact of the cohort’s patients "sex" \(there are none\)/],
    [{ seedMode: 'warm' }, /marginal cannot build around real patients/],
    [{ sampling: { temperature: 1 } }, /marginal: sampling\.temperature: /],
  ] as const)
    await t.throwsAsync(() => generated(store, model.ref, cohort, params), {
      name: 'InvalidConfig',
      message,
    });
});

test.serial('what cannot work is refused, naming the key', async (t) => {
  const { store, cohort } = await storeWithCohort(t);
  const refused = (params: object, message: RegExp) =>
    t.throwsAsync(() => trained(store, cohort, params), { name: 'InvalidConfig', message });
  await refused({ generator: 'gan' }, /no generator "gan" \(there are: halo-coarse, halo, lstm, marginal/);
  await refused(
    { generator: 'halo', config: { layers: 0, depth: 3 } },
    /halo: config\.layers: [\s\S]*halo: config: no key depth here/,
  );
  const diverging = { ...halo, config: { ...halo.config, learningRate: 1e30, schedule: 'constant' } };
  await t.throwsAsync(() => trained(store, cohort, diverging), {
    name: 'Diverged',
    message: /at step \d+, epoch 1/,
  });
  const { vocabulary } = planted();
  const other = await storeWithCohort(t, { ...vocabulary, labels: ['second', 'noise'] });
  const model = await trained(other.store, other.cohort, { generator: 'marginal' });
  const foreign = await other.store.open(model.ref);
  const reader = {
    ...store,
    open: async (ref: ArtifactRef) => (ref.kind === 'model' ? foreign : store.open(ref)),
  };
  await t.throwsAsync(() => generated(reader as Store, model.ref, cohort, {}), {
    name: 'InvalidConfig',
    message: /another vocabulary/,
  });
});
