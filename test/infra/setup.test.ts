import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { script, startNode } from '../helpers/bare-machine.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const infra = fileURLToPath(new URL('../../infra/', import.meta.url));

/** A clone in small: our setup.mjs, programs that only say that they ran, and an npm that notes what it was asked. */
const project = async (t: ExecutionContext, ava: string) => {
  const root = await tempFolder(t);
  const bin = join(root, 'node_modules', '.bin');
  await mkdir(bin, { recursive: true });
  await mkdir(join(root, 'infra', 'bootstrap'), { recursive: true });
  await copyFile(join(infra, 'setup.mjs'), join(root, 'infra', 'setup.mjs'));
  await copyFile(join(infra, 'bootstrap/versions.json'), join(root, 'infra/bootstrap/versions.json'));
  await writeFile(join(root, 'infra/bootstrap/main.ts'), 'console.log("provisioned");');
  await writeFile(join(root, 'infra/demo.ts'), 'console.log("demo", ...process.argv.slice(2));');
  const lock = JSON.stringify({ packages: { '': {}, 'node_modules/a': { version: '1.0.0' } } });
  await writeFile(join(root, 'package-lock.json'), lock);
  await writeFile(join(root, 'node_modules/.package-lock.json'), lock);
  await symlink(process.execPath, join(bin, 'node'));
  for (const name of ['biome', 'tsc', 'knip']) await script(join(bin, name), `echo ${name} "$@"`);
  await script(join(bin, 'ava'), ava);
  const npm = join(root, 'npm-cli.js');
  await writeFile(npm, `console.log('npm was asked to', process.argv[2]);`);
  const start = (...args: string[]) =>
    startNode([join(root, 'infra/setup.mjs'), ...args], { cwd: '/', env: { npm_execpath: npm } });
  return { root, start };
};

test('`test` lints, checks types and unused exports, hands its arguments to ava, and ends with the totals', async (t) => {
  const { start } = await project(t, 'echo "ava $@"; echo; echo "  12 tests passed"');
  const { code, stdout } = await start('test', 'test/a.test.ts', '--match=*x*').done;
  t.is(code, 0);
  const order = [
    'provisioned',
    'biome check',
    'tsc',
    'knip',
    'ava test/a.test.ts --match=*x*',
    '12 passed, 0 failed\n',
  ];
  const places = order.map((line) => stdout.indexOf(line));
  t.true(
    places.every((place, i) => place > (places[i - 1] ?? -1)),
    stdout,
  );
  t.true(stdout.endsWith('\n12 passed, 0 failed\n'));
  t.notRegex(stdout, /npm was asked/);
});

test('failures of every kind are counted, and the status is that of ava', async (t) => {
  const summary = [
    '1 test failed',
    '2 hooks failed',
    '1 uncaught exception',
    '3 tests remained pending after a timeout',
  ];
  const lines = ['\\033[32m✔\\033[39m a › one', '✔ a › two', '✘ [fail]: a › three', ...summary];
  const { start } = await project(t, `printf '${lines.map((line) => `  ${line}\\n`).join('')}'; exit 3`);
  const { code, stdout } = await start('test').done;
  t.is(code, 3);
  t.true(stdout.endsWith('\n2 passed, 7 failed\n'), stdout);
});

test('a red run never ends with `0 failed`', async (t) => {
  const { root, start } = await project(t, 'echo "  4 tests passed"; exit 1');
  const crashed = await start('test').done;
  t.true(crashed.stdout.endsWith('\n4 passed, 1 failed\n'));
  await script(join(root, 'node_modules/.bin/tsc'), 'echo "a type is wrong"; exit 2');
  const mistyped = await start('test').done;
  t.is(mistyped.code, 2);
  t.true(mistyped.stdout.endsWith('\n0 passed, 1 failed\n'));
  t.notRegex(mistyped.stdout, /tests passed/);
});

test('npm ci runs when node_modules does not hold what the lock file says, and only then', async (t) => {
  const { root, start } = await project(t, 'true');
  t.notRegex((await start('provision').done).stdout, /npm was asked/);
  const changed = JSON.stringify({ packages: { '': {}, 'node_modules/a': { version: '2.0.0' } } });
  await writeFile(join(root, 'package-lock.json'), changed);
  const updated = await start('provision').done;
  t.is(updated.code, 0);
  t.regex(updated.stdout, /npm was asked to ci/);
  t.notRegex((await start('provision').done).stdout, /npm was asked/);
});

test('npm ci may remove the very Node that runs the set-up', async (t) => {
  const { root } = await project(t, 'true');
  const own = join(root, 'node_modules/node/bin/node');
  await mkdir(join(own, '..'), { recursive: true });
  await copyFile(process.execPath, own);
  await rm(join(root, 'node_modules/.bin/node'));
  await symlink(own, join(root, 'node_modules/.bin/node'));
  await writeFile(join(root, 'package-lock.json'), '{"packages": {"node_modules/a": {"version": "2.0.0"}}}');
  const npm = join(root, 'npm-cli.js');
  const put = `process.argv[2] === 'ci' ? fs.rmSync(own) : fs.symlinkSync(${JSON.stringify(process.execPath)}, own)`;
  await writeFile(npm, `const fs = require('node:fs'), own = ${JSON.stringify(own)}; ${put};`);
  const env = { ...process.env, npm_execpath: npm, npm_node_execpath: process.execPath };
  const { stdout } = await promisify(execFile)(own, [join(root, 'infra/setup.mjs'), 'provision'], { env });
  t.regex(stdout, /provisioned\nsetup: ready/);
});

test('the demo gets its arguments and its status comes through', async (t) => {
  const { root, start } = await project(t, 'true');
  t.regex((await start('demo', '--keep').done).stdout, /^demo --keep$/m);
  await writeFile(join(root, 'infra/demo.ts'), 'process.exit(42);');
  t.is((await start('demo').done).code, 42);
  await writeFile(join(root, 'infra/bootstrap/main.ts'), 'process.exit(69);');
  t.is((await start('demo').done).code, 69);
});

test('a signal reaches what runs, once, and nothing stays behind', async (t) => {
  const { root, start } = await project(t, 'true');
  const file = join(root, 'signals');
  const demo = `import { appendFileSync } from 'node:fs';
    process.on('SIGINT', () => {
      appendFileSync(${JSON.stringify(file)}, 'SIGINT ' + process.pid + '\\n');
      setTimeout(() => process.exit(130), 100);
    });
    setInterval(() => {}, 1000);
    console.log('started');`;
  await writeFile(join(root, 'infra/demo.ts'), demo);
  const { child, done } = start('demo');
  await new Promise<void>((resolve) => {
    child.stdout?.on('data', (text: string) => text.includes('started') && resolve());
  });
  child.kill('SIGINT');
  t.is((await done).code, 130);
  const noted = await readFile(file, 'utf8');
  t.regex(noted, /^SIGINT \d+\n$/);
  await sleep(50);
  t.false(existsSync(`/proc/${noted.slice(7).trim()}`));
});

test('an unknown target is refused before anything is done', async (t) => {
  const { start } = await project(t, 'true');
  const { code, stdout, stderr } = await start('dem0').done;
  t.is(code, 64);
  t.is(stdout, '');
  t.regex(stderr, /usage: .*test\|demo\|provision/);
});

test('`understudy` runs from any folder and its status comes through', async (t) => {
  const path = join(infra, 'understudy.mjs');
  const stages = await startNode([path, 'stages'], { cwd: '/' }).done;
  t.is(stages.code, 0);
  t.regex(stages.stdout, /extract/);
  t.is((await startNode([path, 'no-such-command'], { cwd: '/' }).done).code, 64);
});
