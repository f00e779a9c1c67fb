import { readFile, writeFile } from 'node:fs/promises';
import type { ExecutionContext, TestFn } from 'ava';
import type { Lineage } from '../../schemas/artifact.ts';
import type { CacheEntry, CheckpointRecord, Store } from '../../schemas/store.ts';

export const someLineage = (changes: Partial<Lineage> = {}): Lineage => ({
  stage: 'train',
  version: 1,
  params: { generator: 'halo', config: { epochs: 3 } },
  inputs: {},
  code: 'c',
  engine: 'e',
  ...changes,
});

/** Commits an artifact with one small file and gives its ref. */
export const commitSome = async (store: Store, text: string, seconds = 1) => {
  const draft = await store.draft('model');
  await draft.write('deep/down.txt', text);
  await writeFile(draft.path('by-hand.bin'), new Uint8Array([1, 2, 3]));
  return draft.commit({
    lineage: someLineage(),
    summary: { rows: 3 },
    recorded: { at: '2026-01-01T00:00:00Z', seconds, attempt: 1 },
  });
};

const checkpoint = (step: number, changes: Partial<CheckpointRecord> = {}): CheckpointRecord => ({
  step,
  attempt: 1,
  owner: 'run/7',
  bytes: new TextEncoder().encode(`state at ${step}`),
  ...changes,
});

type Make = (t: ExecutionContext) => Promise<Store>;
const key = 'a'.repeat(64);

const artifacts = (test: TestFn, name: string, make: Make): void => {
  test(`${name}: a committed artifact reads back`, async (t) => {
    const store = await make(t);
    const ref = await commitSome(store, 'hello');
    const opened = await store.open(ref);
    t.deepEqual(
      opened.manifest.files.map(({ path, bytes }) => [path, bytes]),
      [
        ['by-hand.bin', 3],
        ['deep/down.txt', 5],
      ],
    );
    t.is(await readFile(await opened.path('deep/down.txt'), 'utf8'), 'hello');
    t.is(Buffer.from(await opened.bytes('deep/down.txt')).toString(), 'hello');
    t.is(opened.manifest.summary['rows'], 3);
    await t.throwsAsync(opened.bytes('other.txt'), {
      name: 'ArtifactMissing',
      message: /no file other\.txt/,
    });
  });

  test(`${name}: equal bytes and lineage are one artifact, whenever they were made`, async (t) => {
    const store = await make(t);
    const ref = await commitSome(store, 'same', 1);
    t.deepEqual(await commitSome(store, 'same', 99), ref);
    t.notDeepEqual(await commitSome(store, 'other'), ref);
    t.is((await store.open(ref)).manifest.recorded.seconds, 1, 'the first stands');
  });

  test(`${name}: artifacts of a kind are found by the beginning of their digest`, async (t) => {
    const store = await make(t);
    t.deepEqual(await store.find('model', ''), []);
    const refs = [await commitSome(store, 'one'), await commitSome(store, 'two')];
    const digests = refs.map(({ digest }) => digest).sort();
    t.deepEqual(
      await store.find('model', ''),
      digests.map((digest) => ({ kind: 'model', digest })),
    );
    const [first = ''] = digests;
    t.deepEqual(await store.find('model', first.slice(0, 20)), [{ kind: 'model', digest: first }]);
    t.deepEqual(await store.find('model', `${first}0`), []);
    t.deepEqual(await store.find('cohort', first), []);
  });

  test(`${name}: a draft is nobody's until it is committed, and names stay inside it`, async (t) => {
    const store = await make(t);
    const draft = await store.draft('model');
    await draft.write('x.txt', 'x');
    for (const bad of ['../x.txt', '/etc/x', 'manifest.json', '.'])
      t.throws(() => draft.path(bad), { instanceOf: RangeError });
    await draft.discard();
    await t.throwsAsync(store.open({ kind: 'model', digest: 'b'.repeat(64) }), { name: 'ArtifactMissing' });
  });
};

const cache = (test: TestFn, name: string, make: Make): void => {
  test(`${name}: the cache answers only while the artifact stands`, async (t) => {
    const store = await make(t);
    t.is(await store.cached(key), undefined);
    const ref = await commitSome(store, 'hello');
    const entry: CacheEntry = { key, ref, lineage: someLineage(), at: '2026-01-01T00:00:00.000Z', run: 'r' };
    await store.remember(entry);
    t.deepEqual(await store.cached(key), entry);
    const gone = { ...entry, key: 'f'.repeat(64), ref: { kind: 'model', digest: 'f'.repeat(64) } as const };
    await store.remember(gone);
    t.is(await store.cached(gone.key), undefined);
  });

  test(`${name}: history gives the newest entries of one stage first`, async (t) => {
    const store = await make(t);
    const ref = await commitSome(store, 'hello');
    for (const [minute, stage] of [
      [1, 'train'],
      [3, 'train'],
      [2, 'train'],
      [4, 'report'],
    ] as const)
      await store.remember({
        key: `${minute}`.repeat(64),
        ref,
        lineage: someLineage({ stage }),
        at: `2026-01-01T00:0${minute}:00.000Z`,
      });
    const found = await store.history('train', 2);
    t.deepEqual(
      found.map(({ at }) => at.slice(14, 16)),
      ['03', '02'],
    );
    t.deepEqual(await store.history('extract', 5), []);
  });
};

const checkpoints = (test: TestFn, name: string, make: Make): void => {
  test(`${name}: the checkpoint that is furthest along is read back, until dropped`, async (t) => {
    const store = await make(t);
    t.is(await store.readCheckpoint(key), undefined);
    for (const step of [10, 20, 30]) await store.writeCheckpoint(key, checkpoint(step));
    t.deepEqual(await store.readCheckpoint(key), checkpoint(30));
    await store.writeCheckpoint(key, checkpoint(5, { owner: 'another run' }));
    t.is((await store.readCheckpoint(key))?.step, 30);
    await store.dropCheckpoint(key);
    t.is(await store.readCheckpoint(key), undefined);
    await store.dropCheckpoint(key);
  });

  test(`${name}: an earlier attempt of the same owner is fenced off`, async (t) => {
    const store = await make(t);
    await store.writeCheckpoint(key, checkpoint(10));
    await store.writeCheckpoint(key, checkpoint(11, { attempt: 2 }));
    await t.throwsAsync(store.writeCheckpoint(key, checkpoint(12)), { name: 'Superseded' });
    t.is((await store.readCheckpoint(key))?.step, 11);
    await store.writeCheckpoint(key, checkpoint(12, { owner: 'another run' }));
    t.is((await store.readCheckpoint(key))?.step, 12);
  });
};

/** What every store must do. A store's own test file calls this and adds only what is special to it. */
export const storeContract = (test: TestFn, name: string, make: Make): void => {
  artifacts(test, name, make);
  cache(test, name, make);
  checkpoints(test, name, make);
};
