import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createFileStore } from '../../../infra/store/fs.ts';
import { commitSome, someLineage, storeContract } from '../../helpers/store-contract.ts';
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

/** A process that writes half an artifact and then ends, or stays until the test ends. */
const halfDone = async (t: ExecutionContext, folder: string, stays: boolean) => {
  const script = `
    import { createFileStore } from ${JSON.stringify(new URL('../../../infra/store/fs.ts', import.meta.url).href)};
    const draft = await createFileStore(${JSON.stringify(folder)}).draft('model');
    await draft.write('half.txt', 'half');
    console.log(draft.path('half.txt'));
    ${stays ? 'setInterval(() => {}, 1000);' : ''}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  if (!stays) await exited;
  const draft = basename(dirname(line.toString().trim()));
  return { draft, lease: `${draft.split('~')[0]}.lease` };
};

/** A draft as a process of another container has it: same host name and number as ours, other process. */
const elsewhere = async (temp: string, owner: string, ageMs: number) => {
  const [draft, lease] = [`${owner.repeat(24)}~${owner.repeat(12)}`, `${owner.repeat(24)}.lease`];
  await mkdir(join(temp, draft), { recursive: true });
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'none')).trim();
  const holder = { boot, namespace: 'pid:[1]', pid: process.pid, started: '1' };
  await writeFile(join(temp, lease), JSON.stringify(holder));
  const at = new Date(Date.now() - ageMs);
  await utimes(join(temp, lease), at, at);
  await utimes(join(temp, draft), 1e9, 1e9);
  return { draft, lease };
};

test('what a living process makes is left, what a dead one of this machine left is swept by the next writer', async (t) => {
  const { folder } = await setUp(t);
  const temp = join(folder, 'temp');
  const [living, dead] = await Promise.all([halfDone(t, folder, true), halfDone(t, folder, false)]);
  await createFileStore(folder).readCheckpoint(key);
  t.true((await readdir(temp)).includes(dead.draft), 'reads sweep nothing');
  await createFileStore(folder).writeCheckpoint(key, record(1));
  t.deepEqual((await readdir(temp)).sort(), [living.lease, living.draft].sort());
});

test('of processes elsewhere only the lease counts, whatever host and number they have', async (t) => {
  const { folder } = await setUp(t);
  const temp = join(folder, 'temp');
  const fresh = await elsewhere(temp, 'a', 50 * 60_000);
  await elsewhere(temp, 'b', 61 * 60_000);
  // As earlier versions named the draft of a container that has our host name and process number.
  const earlier = `${hostname()}~${process.pid}~another~1`;
  const longAgo = 'other-host~1~x~2';
  for (const name of [earlier, longAgo]) await mkdir(join(temp, name));
  await utimes(join(temp, longAgo), 1e9, 1e9);
  await createFileStore(folder).writeCheckpoint(key, record(1));
  t.deepEqual((await readdir(temp)).sort(), [fresh.draft, fresh.lease, earlier].sort());
});

test.serial(
  'a lease is compared with the time of the file system, not with the clock of this machine',
  async (t) => {
    const { folder } = await setUp(t);
    const temp = join(folder, 'temp');
    const theirs = await elsewhere(temp, 'a', 10_000);
    const clock = Date.now;
    Date.now = () => clock() + 30 * 24 * 3600 * 1000;
    try {
      await createFileStore(folder).writeCheckpoint(key, record(1));
    } finally {
      Date.now = clock;
    }
    t.deepEqual((await readdir(temp)).sort(), [theirs.draft, theirs.lease].sort());
  },
);

test('a lease lasts as long as something is being made', async (t) => {
  const { folder, store } = await setUp(t);
  const leases = async () => (await readdir(join(folder, 'temp'))).filter((name) => name.endsWith('.lease'));
  const [a, b] = [await store.draft('model'), await store.draft('model')];
  await store.writeCheckpoint(key, record(1));
  t.is((await leases()).length, 1);
  await a.discard();
  await a.discard();
  t.is((await leases()).length, 1, 'the other one is still being made');
  await b.discard();
  t.deepEqual(await leases(), []);
});

test('a process that was frozen until its lease ran out cannot commit half an artifact', async (t) => {
  const { folder, store } = await setUp(t);
  const temp = join(folder, 'temp');
  const draft = await store.draft('model');
  await draft.write('first.txt', 'first');
  const lease = join(temp, (await readdir(temp)).find((name) => name.endsWith('.lease')) ?? '');
  await utimes(lease, 1e9, 1e9);
  await createFileStore(folder).writeCheckpoint(key, record(1));
  const gone = { name: 'StoreUnavailable', message: /was removed as abandoned/ };
  await t.throwsAsync(draft.write('second.txt', 'second'), gone);
  t.throws(() => draft.path('third.txt'), gone);
  const recorded = { at: '2026-01-01T00:00:00Z', seconds: 1, attempt: 1 };
  await t.throwsAsync(draft.commit({ lineage: someLineage(), summary: {}, recorded }), {
    name: 'StoreUnavailable',
  });
  await draft.discard();
  t.deepEqual(await readdir(temp), []);
});

test('a checkpoint that stalled does not take the place of one when it comes to its end', async (t) => {
  const { folder, store } = await setUp(t);
  await store.writeCheckpoint(key, record(1));
  const stall = new AbortController();
  const late = new Error('stalled');
  let portions = 0;
  const progressed = () => {
    portions += 1;
    if (portions === 2) stall.abort(late);
  };
  const watch = { progressed, signal: stall.signal };
  t.is(await t.throwsAsync(store.writeCheckpoint(key, record(2), watch)), late);
  t.is(portions, 2, 'the header and the bytes');
  t.deepEqual(await store.readCheckpoint(key), record(1));
  t.deepEqual(await readdir(join(folder, 'temp')), []);
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
