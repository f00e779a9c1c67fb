import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { compilePlan } from '../../activities/compile-plan.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import { someLineage } from '../helpers/store-contract.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

/** A store with a model of a generator, moved after it was written. */
const movedStore = async (t: ExecutionContext, generator: string) => {
  const folder = await tempFolder(t);
  const [before, after] = [join(folder, 'client'), join(folder, 'worker')];
  const draft = await createFileStore(before).draft('model');
  await draft.write('model.json', JSON.stringify({ generator }));
  const recorded = { at: '2026-01-01T00:00:00Z', seconds: 1, attempt: 1 };
  const ref = await draft.commit({ lineage: someLineage(), summary: {}, recorded });
  await rename(before, after);
  return { folder, store: createFileStore(after), ref };
};
const config = (digest: string) => ({
  source: 'tables',
  generators: ['marginal', { name: 'halo', from: `model:${digest}` }],
});

test('a plan that starts from a stored model names it by its digest, wherever the store is', async (t) => {
  const { folder, store, ref } = await movedStore(t, 'halo');
  const plan = await compilePlan(config(ref.digest), store);
  t.deepEqual(plan.nodes.find(({ id }) => id === 'train:halo')?.inputs['from'], [ref]);
  t.false(JSON.stringify(plan).includes(folder));
});

test('a model that the worker does not have, or of another generator, is refused before anything is computed', async (t) => {
  const { store, ref } = await movedStore(t, 'promptehr');
  await t.throwsAsync(compilePlan(config('0'.repeat(64)), store), {
    name: 'ArtifactMissing',
    message: /^train:halo reads model 0{64}, which the store of the worker does not have; .*UNDERSTUDY_STORE/,
  });
  await t.throwsAsync(compilePlan(config(ref.digest), store), {
    name: 'InvalidConfig',
    message: /^train:halo is to start from model [0-9a-f]{12}: a model of halo expected, found promptehr$/,
  });
});
