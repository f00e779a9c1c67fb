// Makes a fresh clone ready and then does what it was asked: `node infra/setup.mjs demo|test|provision [arguments]`.
// Plain JavaScript without dependencies, because it runs before there are any, on whatever Node >= 20 is there.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const bin = join(modules, '.bin');
const stamp = join(modules, '.understudy.json');
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
const { minimum } = readJson(join(root, 'infra', 'bootstrap', 'versions.json')).node;

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const statusOf = { SIGHUP: 129, SIGINT: 130, SIGKILL: 137, SIGTERM: 143 };
let running;
let stopped;
for (const name of signals)
  process.on(name, () => {
    stopped = name;
    if (running) running(name);
    else process.exit(statusOf[name]);
  });

/**
 * Runs a program to its end and gives its exit status. It has a process group of its own, so that Ctrl-C reaches it
 * once, through us; `group` passes signals on to its children too. `read` takes its stdout line by line as well.
 */
const run = (program, args, { env = {}, group = false, read } = {}) =>
  new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`, ...env },
      stdio: ['ignore', read ? 'pipe' : 'inherit', 'inherit'],
      detached: true,
    });
    running = (name) => {
      try {
        process.kill(group ? -child.pid : child.pid, name);
      } catch {
        // It has just ended by itself.
      }
    };
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      process.stdout.write(text);
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) read(line);
    });
    child.once('error', (error) => {
      process.stderr.write(`setup: cannot run ${program}: ${error.message}\n`);
      resolve(127);
    });
    child.once('close', (code, signal) => {
      running = undefined;
      resolve(code ?? statusOf[signal] ?? 1);
    });
  });

const say = (line) => process.stdout.write(`setup: ${line}\n`);

/** Runs one step of the set-up and prints how long it took; ends everything when it fails. */
const step = async (title, program, args, options) => {
  const start = Date.now();
  say(`${title} …`);
  const status = await run(program, args, options);
  if (stopped) process.exit(statusOf[stopped]);
  say(
    `${title}: ${status === 0 ? 'done' : `failed with status ${status}`} in ${(Date.now() - start) / 1000} s`,
  );
  return status;
};

const fail = (status, advice) => {
  process.stderr.write(`setup: ${advice}\n`);
  process.exit(status);
};

/**
 * The npm that started us, else the one on PATH. It runs on npm's own Node: ours may be the copy in node_modules,
 * which `npm ci` has just removed.
 */
const npm = (...args) => {
  const { npm_execpath: own, npm_node_execpath: theirs } = process.env;
  const interpreter = [theirs, process.execPath].find((path) => path && existsSync(path));
  return own?.endsWith('npm-cli.js') && interpreter ? [interpreter, [own, ...args]] : ['npm', args];
};

/** True when node_modules holds what package-lock.json asks for. */
const packagesMatch = (digest) => {
  if (existsSync(stamp)) {
    const { lock, platform } = readJson(stamp);
    return lock === digest && platform === `${process.platform}-${process.arch}`;
  }
  const hidden = join(modules, '.package-lock.json');
  if (!existsSync(hidden)) return false;
  const found = readJson(hidden).packages;
  return Object.entries(readJson(join(root, 'package-lock.json')).packages).every(
    ([path, { version, optional }]) => path === '' || optional || found[path]?.version === version,
  );
};

const ensurePackages = async () => {
  const digest = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const matched = packagesMatch(digest);
  if (!matched) {
    const [program, args] = npm('ci', '--include=dev', '--loglevel=error');
    const status = await step('npm ci', program, args, { group: true });
    if (status !== 0) fail(status, 'npm ci failed: is the registry in reach? (`npm config get registry`)');
  }
  const platform = `${process.platform}-${process.arch}`;
  if (!matched || !existsSync(stamp)) writeFileSync(stamp, JSON.stringify({ lock: digest, platform }));
};

const atLeastMinimum = (version) => {
  const [have, need] = [version, minimum].map((text) => text.replace(/^v/, '').split('.').map(Number));
  const at = need.findIndex((number, i) => number !== have[i]);
  return at < 0 || have[at] > need[at];
};

/** A Node that is new enough: npm's own copy, else the one that runs this. */
const ensureNode = async () => {
  const own = join(bin, 'node');
  const works = () => {
    const { stdout } = spawnSync(own, ['--version'], { encoding: 'utf8' });
    return stdout && atLeastMinimum(stdout.trim());
  };
  if (works()) return own;
  const [program, args] = npm('rebuild', 'node', '--ignore-scripts=false', '--loglevel=error');
  await step(`Node >= ${minimum} from npm`, program, args, { group: true });
  if (works()) return own;
  if (atLeastMinimum(process.version)) return process.execPath;
  return fail(
    69,
    `npm could not install Node ${minimum} or newer: install it yourself (this one is ${process.version})`,
  );
};

/** Counts what ava's last lines report: `3 tests passed`, `1 test failed`, `1 uncaught exception` and the like. */
const totals = () => {
  const count = { ticks: 0, passed: undefined, failed: 0 };
  const troubles =
    /^(\d+) (?:(?:tests?|hooks?) failed|unhandled rejections?|uncaught exceptions?|tests? remained pending)/;
  return {
    read(coloured) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the terminal's color codes.
      const line = coloured.replace(/\u001b\[[0-9;]*m/g, '').trim();
      if (/^[✔√] /u.test(line)) count.ticks++;
      const passed = /^(\d+) tests? passed/.exec(line)?.[1];
      if (passed) count.passed = Number(passed);
      count.failed += Number(troubles.exec(line)?.[1] ?? 0);
    },
    line(status) {
      const failed = status === 0 ? 0 : Math.max(1, count.failed);
      return `${count.passed ?? count.ticks} passed, ${failed} failed`;
    },
  };
};

const test = async (args) => {
  const tally = totals();
  let status = 0;
  for (const [name, ...rest] of [['biome', 'check'], ['tsc'], ['knip']]) {
    if (status === 0) status = await step([name, ...rest].join(' '), join(bin, name), rest, { group: true });
  }
  if (status === 0) {
    const env = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
    status = await step('ava', join(bin, 'ava'), args, { env, group: true, read: tally.read });
  }
  process.stdout.write(`${tally.line(status)}\n`);
  return status;
};

const [target = '', ...args] = process.argv.slice(2);
const targets = {
  test: () => test(args),
  demo: (node) => run(node, [join(root, 'infra', 'demo.ts'), ...args]),
  provision: () => 0,
};
if (!Object.hasOwn(targets, target))
  fail(64, `usage: node infra/setup.mjs ${Object.keys(targets).join('|')}`);

const start = Date.now();
await ensurePackages();
const node = await ensureNode();
// Proxies are part of what a closed network sets; Node uses them only when this is set.
const provisioned = await run(node, [join(root, 'infra', 'bootstrap', 'main.ts')], {
  env: { NODE_USE_ENV_PROXY: '1' },
});
if (stopped) process.exit(statusOf[stopped]);
if (provisioned !== 0) process.exit(provisioned);
say(`ready after ${((Date.now() - start) / 1000).toFixed(1)} s`);
const status = await targets[target](node);
process.exitCode = stopped && status === 0 ? statusOf[stopped] : status;
