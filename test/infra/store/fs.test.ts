import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createFileStore } from '../../../infra/store/fs.ts';
import { commitSome, storeContract } from '../../helpers/store-contract.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

storeContract(test, 'fs', async (t) => createFileStore(await tempFolder(t)));

const setUp = async (t: ExecutionContext) => {
  const folder = await tempFolder(t);
  const store = createFileStore(folder);
  const ref = await commitSome(store, 'hello');
  return { folder, store, ref, home: join(folder, 'artifacts', ref.kind, ref.digest) };
};
const key = 'a'.repeat(64);
const record = (step: number) => ({ step, attempt: 1, owner: 'o', bytes: new Uint8Array([step, 2, 3]) });

test('changed bytes are named on first touch, whichever way they are read', async (t) => {
  const { home, store, ref } = await setUp(t);
  await chmod(join(home, 'deep/down.txt'), 0o644);
  await writeFile(join(home, 'deep/down.txt'), 'hellO');
  const opened = await store.open(ref);
  await t.throwsAsync(opened.bytes('deep/down.txt'), { name: 'ArtifactCorrupt', message: /deep\/down\.txt/ });
  await t.throwsAsync(opened.path('deep/down.txt'), { name: 'ArtifactCorrupt' });
  await t.notThrowsAsync(opened.path('by-hand.bin'));
  await rm(join(home, 'by-hand.bin'));
  await t.throwsAsync((await store.open(ref)).path('by-hand.bin'), {
    name: 'ArtifactCorrupt',
    message: /lost its file by-hand\.bin/,
  });
});

test('a forged or torn manifest is ArtifactCorrupt and no cache hit', async (t) => {
  const { home, store, ref } = await setUp(t);
  const { lineage } = (await store.open(ref)).manifest;
  await store.remember({ key, ref, lineage, at: '2026-01-01T00:00:00.000Z' });
  t.truthy(await store.cached(key));
  const text = await readFile(join(home, 'manifest.json'), 'utf8');
  await writeFile(join(home, 'manifest.json'), text.replace('"halo"', '"hal0"'));
  await t.throwsAsync(store.open(ref), { name: 'ArtifactCorrupt', message: /manifest\.json/ });
  t.is(await store.cached(key), undefined);
  await truncate(join(home, 'manifest.json'), 40);
  await t.throwsAsync(store.open(ref), { name: 'ArtifactCorrupt', message: /not JSON/ });
});

test('a torn checkpoint slot counts as absent and the other one stands', async (t) => {
  const { folder, store } = await setUp(t);
  await store.writeCheckpoint(key, record(1));
  await store.writeCheckpoint(key, record(2));
  const slots = join(folder, 'checkpoints', key);
  const files = (await readdir(slots)).sort();
  t.deepEqual(files, ['a.checkpoint', 'b.checkpoint']);
  await truncate(join(slots, 'b.checkpoint'), 2049);
  t.deepEqual(await store.readCheckpoint(key), record(1));
  await truncate(join(slots, 'a.checkpoint'), 10);
  t.is(await store.readCheckpoint(key), undefined);
  await store.writeCheckpoint(key, record(3));
  t.deepEqual(await store.readCheckpoint(key), record(3));
});

test('a checkpoint body can be viewed as doubles without a copy', async (t) => {
  const { store } = await setUp(t);
  await store.writeCheckpoint(key, { ...record(1), bytes: new Uint8Array(16) });
  const found = await store.readCheckpoint(key);
  t.is((found?.bytes.byteOffset ?? 1) % 8, 0);
});

test('leftovers of dead processes are swept by the next writer, those of the living are not', async (t) => {
  const { folder } = await setUp(t);
  const temp = join(folder, 'temp');
  const dead = spawnSync('true').pid;
  const names = {
    dead: `${hostname()}~${dead}~x~1`,
    earlierSelf: `${hostname()}~${process.pid}~earlier~1`,
    living: `${hostname()}~${process.ppid}~x~1`,
    elsewhere: 'other-host~1~x~1',
    elsewhereLongAgo: 'other-host~1~x~2',
  };
  for (const name of Object.values(names)) await mkdir(join(temp, name, 'deep'), { recursive: true });
  await utimes(join(temp, names.elsewhereLongAgo), 1e9, 1e9);
  const store = createFileStore(folder);
  await store.readCheckpoint(key);
  t.is((await readdir(temp)).length, 5, 'reads sweep nothing');
  await store.writeCheckpoint(key, record(1));
  t.deepEqual((await readdir(temp)).sort(), [names.living, names.elsewhere].sort());
});

test('reading a store that is not there creates nothing', async (t) => {
  const folder = join(await tempFolder(t), 'none');
  const store = createFileStore(folder);
  t.is(await store.cached(key), undefined);
  t.is(await store.readCheckpoint(key), undefined);
  t.deepEqual(await store.history('train', 3), []);
  await t.throwsAsync(readdir(folder), { code: 'ENOENT' });
});

test('a store that cannot be written says StoreUnavailable with the errno', async (t) => {
  const folder = await tempFolder(t);
  await writeFile(join(folder, 'file'), '');
  const store = createFileStore(join(folder, 'file'));
  await t.throwsAsync(store.draft('model'), { name: 'StoreUnavailable', message: /ENOTDIR/ });
  await t.throwsAsync(store.writeCheckpoint(key, record(1)), { name: 'StoreUnavailable' });
  await t.throwsAsync(store.cached(key), { name: 'StoreUnavailable' });
});

test('a full disk says StoreUnavailable and leaves the old checkpoint', async (t) => {
  const { folder, store } = await setUp(t);
  await store.writeCheckpoint(key, record(1));
  const limited = `
    import { createFileStore } from ${JSON.stringify(new URL('../../../infra/store/fs.ts', import.meta.url).href)};
    process.on('SIGXFSZ', () => {});
    await createFileStore(${JSON.stringify(folder)})
      .writeCheckpoint('${key}', { step: 2, attempt: 1, owner: 'o', bytes: new Uint8Array(1 << 20) })
      .catch((error) => console.log(error.name, error.message));`;
  const shell = 'ulimit -f 64; exec "$0" --input-type=module -e "$1"';
  const { stdout } = spawnSync('sh', ['-c', shell, process.execPath, limited], { encoding: 'utf8' });
  t.regex(stdout, /StoreUnavailable .*EFBIG/);
  t.deepEqual(await store.readCheckpoint(key), record(1));
  t.deepEqual(await readdir(join(folder, 'temp')), []);
});
