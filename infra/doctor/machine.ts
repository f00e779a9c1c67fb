import { constants } from 'node:fs';
import { access, readFile, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { modulesFolder } from '../bootstrap/addon-path.ts';
import { findCompiler } from '../bootstrap/build-addon.ts';
import { askProgram } from '../bootstrap/find-program.ts';
import { atLeast, versions } from '../bootstrap/versions.ts';
import { GIB, gib, memoryOfMachine, nearestFolder } from '../machine.ts';
import type { Check, Checker } from './check.ts';

/** glibc that TensorFlow's wheels are built for. */
const MINIMUM_GLIBC = '2.27';

export const checkNode: Checker = async () => {
  const found = process.versions.node;
  const { minimum } = versions.node;
  if (atLeast(found, minimum)) return [{ name: 'Node', state: 'ok', found }];
  const fix = `use Node ${minimum} or newer: \`npm run\` scripts and \`npx understudy\` pick npm's own`;
  return [{ name: 'Node', state: 'fail', found, fix }];
};

const reportSchema = z.object({ header: z.object({ glibcVersionRuntime: z.string().optional() }) });

export const checkGlibc: Checker = async () => {
  // Otherwise the report looks up the names of all open connections, which takes seconds.
  Object.assign(process.report, { excludeNetwork: true });
  const { glibcVersionRuntime: found } = reportSchema.parse(process.report.getReport()).header;
  if (found && atLeast(found, MINIMUM_GLIBC)) return [{ name: 'glibc', state: 'ok', found }];
  const fix = `native TensorFlow needs Linux with glibc >= ${MINIMUM_GLIBC}; without it only small runs are practical`;
  return [{ name: 'glibc', state: 'warn', found: found ?? `none (${process.platform})`, fix }];
};

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({ version: z.string().optional(), optional: z.boolean().optional() }),
  ),
});

/** Packages of the lock file that node_modules lacks or has in another version. */
const strayPackages = async (modules: string): Promise<string[]> => {
  const read = async (path: string) => lockSchema.parse(JSON.parse(await readFile(path, 'utf8'))).packages;
  const wanted = await read(join(dirname(modules), 'package-lock.json'));
  const found = await read(join(modules, '.package-lock.json')).catch(() => ({}) as typeof wanted);
  return Object.entries(wanted)
    .filter(([path, { version, optional }]) => path && !optional && found[path]?.version !== version)
    .map(([path]) => path.replace(/^.*node_modules\//, ''));
};

export const checkPackages: Checker = async () => {
  const stray = await strayPackages(modulesFolder);
  if (stray.length === 0) return [{ name: 'npm packages', state: 'ok', found: 'as in package-lock.json' }];
  const found = `${stray.length} missing or of another version (${stray.slice(0, 3).join(', ')}…)`;
  return [
    { name: 'npm packages', state: 'fail', found, fix: 'run `npm ci`, then `npx understudy bootstrap`' },
  ];
};

export const checkCompiler: Checker = async ({ path }) => {
  const compiler = await findCompiler(path);
  const found = compiler && (await askProgram(compiler, ['--version']))?.split('\n')[0];
  if (found) return [{ name: 'C++ compiler', state: 'ok', found }];
  const fix = "needed to build TensorFlow's addon: `apt-get install g++` or `dnf install gcc-c++`";
  return [{ name: 'C++ compiler', state: 'warn', found: 'none on PATH', fix }];
};

export const checkMemory: Checker = async () => {
  const { memory, memoryFree: free } = memoryOfMachine();
  const found = `${gib(free)} free of ${gib(memory)}`;
  if (free > 2 * GIB) return [{ name: 'memory', state: 'ok', found }];
  return [{ name: 'memory', state: 'warn', found, fix: 'the demo takes about 2 GiB: close other programs' }];
};

const checkFolder = async (name: string, variable: string, path: string, needed: number): Promise<Check> => {
  const folder = await nearestFolder(path);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const writable = await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
  const found = `${path}, ${writable ? 'writable' : 'not writable'}, ${gib(free)} free`;
  if (!writable)
    return { name, state: 'fail', found, fix: `get write rights on ${folder}, or set ${variable}` };
  if (free < GIB / 2) return { name, state: 'fail', found, fix: `free disk space there, or set ${variable}` };
  if (free < needed)
    return { name, state: 'warn', found, fix: `${gib(needed)} are wanted: free some, or set ${variable}` };
  return { name, state: 'ok', found };
};

/** Where provisioned binaries and artifacts go: rights and space. */
export const checkDisk: Checker = async ({ cache, store }) => [
  await checkFolder('cache', 'UNDERSTUDY_CACHE', cache, 2 * GIB),
  await checkFolder('store', 'UNDERSTUDY_STORE', store, 5 * GIB),
];
