import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { download } from '../../infra/bootstrap/download.ts';
import { withLock } from '../../infra/bootstrap/lock.ts';
import { publish } from '../../infra/bootstrap/publish.ts';
import { runProgram } from '../../infra/bootstrap/run-program.ts';
import { ensureTemporal } from '../../infra/bootstrap/temporal.ts';
import { cachedTemporal, findTemporal, temporalBinary } from '../../infra/bootstrap/temporal-binary.ts';
import { ensureTensorflow } from '../../infra/bootstrap/tensorflow.ts';
import { bareEnvironment, script, serve, sha256, startNode } from '../helpers/bare-machine.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const silent = () => {};

/** What `temporal --version` and its help say, as far as bootstrap looks at them. */
const sayings = (server: string) =>
  `[ "$1" = --version ] && echo "temporal version 1.5.1 (Server ${server}, UI 2.42.1)" || echo "--db-filename F"`;

const releaseOf = async (t: ExecutionContext, server: string) => {
  const folder = await tempFolder(t);
  await script(join(folder, 'temporal'), sayings(server));
  spawnSync('tar', ['-czf', 'release.tar.gz', 'temporal'], { cwd: folder });
  const bytes = await readFile(join(folder, 'release.tar.gz'));
  return { bytes, archive: { file: 'release.tar.gz', sha256: sha256(bytes) } };
};

test('a folder of the cache is whole or absent', async (t) => {
  const target = join(await tempFolder(t), 'a', 'thing');
  const broken = publish(target, async (draft) => {
    await writeFile(join(draft, 'half'), 'x');
    throw new Error('power cut');
  });
  await t.throwsAsync(broken, { message: 'power cut' });
  t.deepEqual(await readdir(dirname(target)), []);
  const makers = [1, 2, 3].map((maker) =>
    publish(target, async (draft) => {
      await writeFile(join(draft, 'one'), String(maker));
      await sleep(10 * maker);
      await writeFile(join(draft, 'two'), String(maker));
    }),
  );
  t.deepEqual(await Promise.all(makers), [target, target, target]);
  t.is(await readFile(join(target, 'one'), 'utf8'), await readFile(join(target, 'two'), 'utf8'));
  t.deepEqual(await readdir(dirname(target)), ['thing']);
});

test('what a killed set-up left behind goes with the next one, once it is old', async (t) => {
  const home = await tempFolder(t);
  for (const name of ['x.partial-1-old', 'x.partial-2-new']) await mkdir(join(home, name));
  const yesterday = new Date(Date.now() - 86_400_000);
  await utimes(join(home, 'x.partial-1-old'), yesterday, yesterday);
  await publish(join(home, 'x'), async () => {});
  t.deepEqual((await readdir(home)).sort(), ['x', 'x.partial-2-new']);
});

test('one set-up at a time, and a dead one holds nobody up', async (t) => {
  const cache = await tempFolder(t);
  const module = JSON.stringify(new URL('../../infra/bootstrap/lock.ts', import.meta.url).href);
  const hold = `import { withLock } from ${module};
    await withLock(${JSON.stringify(cache)}, () => {}, () => new Promise(() => {
      process.stdout.write('held');
      setInterval(() => {}, 1000);
    }));`;
  const holder = startNode(['--input-type=module', '--eval', hold]);
  await new Promise((resolve) => holder.child.stdout?.once('data', resolve));
  const told: string[] = [];
  let entered = false;
  const second = withLock(
    cache,
    (line) => told.push(line),
    async () => {
      entered = true;
    },
  );
  while (!entered && told.length === 0) await sleep(20);
  t.false(entered);
  t.regex(told.join(), new RegExp(`waiting for another set-up \\(process ${holder.child.pid}`));
  holder.child.kill('SIGKILL');
  await second;
  t.true(entered);
  t.false(existsSync(join(cache, 'lock')));
});

test('a set-up in another container holds the lock, whatever host name and number it has', async (t) => {
  const cache = await tempFolder(t);
  const lock = join(cache, 'lock');
  await mkdir(lock);
  // No process here has this number, and in its own container that one is at work.
  const theirs = {
    pid: 2 ** 22 + 1,
    host: hostname(),
    process: { boot: 'b', namespace: 'n', pid: 1, started: '1' },
  };
  await writeFile(join(lock, 'owner.json'), JSON.stringify(theirs));
  const told: string[] = [];
  let entered = false;
  const ours = withLock(
    cache,
    (line) => told.push(line),
    async () => {
      entered = true;
    },
  );
  while (!entered && told.length === 0) await sleep(20);
  t.false(entered);
  await rm(lock, { recursive: true });
  await ours;
  t.true(entered);
});

test('an aborted program takes its children with it', async (t) => {
  const folder = await tempFolder(t);
  const pidFile = join(folder, 'pid');
  const path = await script(join(folder, 'parent'), `sleep 60 & echo $! > ${pidFile}; wait`);
  const stop = new AbortController();
  const running = runProgram(path, [], { signal: stop.signal });
  while (!existsSync(pidFile) || (await readFile(pidFile, 'utf8')) === '') await sleep(20);
  stop.abort(new Error('enough'));
  await t.throwsAsync(running, { message: 'enough' });
  const pid = Number(await readFile(pidFile, 'utf8'));
  await sleep(100);
  // A zombie that nobody reaps in a container still has a number, but runs nothing.
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone');
  t.regex(state, /gone|\) Z /);
});

test('the Temporal CLI comes from the release, checked, and is found from then on', async (t) => {
  const { bytes, archive } = await releaseOf(t, '1.29.1');
  const asked: (string | undefined)[] = [];
  const address = await serve(t, (request, response) => {
    asked.push(request.url);
    response.end(bytes);
  });
  const environment = bareEnvironment(await tempFolder(t), { temporalDownload: address });
  await t.throwsAsync(temporalBinary(environment), {
    name: 'TemporalUnavailable',
    message: /understudy bootstrap/,
  });
  const path = cachedTemporal(environment.cache);
  t.deepEqual(await ensureTemporal({ environment, say: silent }, archive), { path, server: '1.29.1' });
  t.deepEqual(await ensureTemporal({ environment, say: silent }, archive), { path, server: '1.29.1' });
  t.is(await temporalBinary(environment), path);
  t.deepEqual(asked, ['/v1.5.1/release.tar.gz']);
});

test('a release with other bytes is refused and leaves nothing', async (t) => {
  const { bytes } = await releaseOf(t, '1.29.1');
  const address = await serve(t, (_request, response) => response.end(bytes));
  const environment = bareEnvironment(await tempFolder(t), { temporalDownload: address });
  const error = await t.throwsAsync(ensureTemporal({ environment, say: silent }), {
    name: 'TemporalUnavailable',
  });
  t.regex(error?.message ?? '', /expected SHA-256 [0-9a-f]{64}, got/);
  t.regex(error?.message ?? '', /Go is not on PATH/);
  t.false(existsSync(cachedTemporal(environment.cache)));
});

test('where no way is open, the message says what to install', async (t) => {
  const environment = bareEnvironment(await tempFolder(t));
  const error = await t.throwsAsync(ensureTemporal({ environment, say: silent }), {
    name: 'TemporalUnavailable',
  });
  for (const part of [
    /downloads are off/,
    /Go is not on PATH/,
    /put a `temporal`/,
    /UNDERSTUDY_TEMPORAL_DOWNLOAD/,
  ])
    t.regex(error?.message ?? '', part);
});

test('a Temporal on PATH is taken before the cache, unless its server is too old', async (t) => {
  const cache = await tempFolder(t);
  const path = await tempFolder(t);
  const environment = bareEnvironment(cache, { path });
  await mkdir(dirname(cachedTemporal(cache)), { recursive: true });
  await script(cachedTemporal(cache), sayings('1.29.1'));
  await script(join(path, 'temporal'), sayings('1.30.0'));
  t.deepEqual(await findTemporal(environment), { path: join(path, 'temporal'), server: '1.30.0' });
  await script(join(path, 'temporal'), sayings('1.9.0'));
  t.is((await findTemporal(environment))?.path, cachedTemporal(cache));
  await script(join(path, 'temporal'), 'echo "another program of that name"');
  t.is((await findTemporal(environment))?.path, cachedTemporal(cache));
});

test('a server that does not answer well is named without its credentials', async (t) => {
  const folder = await tempFolder(t);
  const address = await serve(t, (_request, response) => response.writeHead(403).end());
  const secret = `${address.replace('//', '//user:secret@')}/file`;
  const error = await t.throwsAsync(download(secret, join(folder, 'file'), '0'.repeat(64)));
  t.is(error?.message, `${address}/file: the server answered 403 Forbidden`);
  t.deepEqual(await readdir(folder), []);
});

test('native TensorFlow is not provisioned where only JavaScript is asked for', async (t) => {
  const cache = await tempFolder(t);
  const environment = bareEnvironment(cache, { tensorflow: 'js' });
  t.regex(await ensureTensorflow({ environment, say: silent }, '/nowhere'), /not asked for/);
  t.deepEqual(await readdir(cache), []);
});
