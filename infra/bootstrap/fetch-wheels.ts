import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Environment } from '../env.ts';
import { download } from './download.ts';
import { askProgram, findProgram } from './find-program.ts';
import { filesOf, packageIndex } from './package-index.ts';
import type { Say } from './report.ts';
import { compareVersions, type Requirement, satisfies } from './requirements.ts';
import { runProgram } from './run-program.ts';

/** A wheel to fetch; `sha256` where it is pinned rather than taken from the index. */
export interface WheelWanted extends Requirement {
  /** The wheel's exact file name, where it is pinned. */
  file?: string;
  sha256?: string;
}

/** What fetching needs to know of the machine. */
export interface FetchContext {
  environment: Environment;
  say: Say;
  signal?: AbortSignal;
}

const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
/** glibc 2.27 is what TensorFlow asks for, so whatever runs it takes all older tags; pip matches them one by one. */
const platforms = [
  ...Array.from({ length: 23 }, (_, i) => `manylinux_2_${27 - i}_${machine}`),
  ...['2014', '2010', '1'].map((tag) => `manylinux${tag}_${machine}`),
];

const pipArguments = (wanted: readonly WheelWanted[], folder: string): string[] => [
  '-m',
  'pip',
  'download',
  '--no-deps',
  '--only-binary=:all:',
  '--no-cache-dir',
  '--disable-pip-version-check',
  '--progress-bar=off',
  // Named, so that any Python 3 fetches the one wheel whose digest is pinned.
  '--python-version=3.11',
  '--implementation=cp',
  '--abi=cp311',
  '--abi=abi3',
  '--abi=none',
  ...platforms.map((tag) => `--platform=${tag}`),
  `--dest=${folder}`,
  ...wanted.map(({ project, specifier }) => `${project}${specifier}`),
];

const digestOf = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
};

/** True when pip fetched every wheel; prints the reason where it did not. */
const byPip = async (
  wanted: readonly WheelWanted[],
  folder: string,
  context: FetchContext,
): Promise<boolean> => {
  const { environment, say, signal } = context;
  const python = await findProgram('python3', environment.path);
  if (!python || !(await askProgram(python, ['-m', 'pip', '--version']))) {
    say('  no python3 with pip: asking the package index directly');
    return false;
  }
  const { code, output } = await runProgram(python, pipArguments(wanted, folder), signal ? { signal } : {});
  if (code === 0) return true;
  const why = output.trim().split('\n').at(-1) ?? '';
  say(`  pip failed (${why}): asking the package index directly`);
  return false;
};

const runsHere = (file: string): boolean =>
  /-(py3|py2\.py3|cp311)-(none|abi3|cp311)-/.test(file) &&
  file.includes('manylinux') &&
  file.includes(machine);

const byIndex = async (wanted: WheelWanted, folder: string, context: FetchContext): Promise<void> => {
  const { environment, say, signal } = context;
  const index = await packageIndex(environment);
  const offered = await filesOf(wanted.project, index, signal);
  const fitting = offered
    .filter(({ file }) => file.endsWith('.whl') && (wanted.file ? file === wanted.file : runsHere(file)))
    .map((found) => ({ ...found, version: found.file.split('-')[1] ?? '' }))
    .filter(({ version }) => satisfies(version, wanted.specifier))
    .sort((a, b) => compareVersions(b.version, a.version));
  const best = fitting[0];
  if (!best)
    throw new Error(
      `the package index has no ${wanted.file ?? `${wanted.project}${wanted.specifier} for ${machine}`}` +
        ` among its ${offered.length} files`,
    );
  const sha256 = wanted.sha256 ?? best.sha256;
  if (!sha256) throw new Error(`the package index has no SHA-256 of ${best.file}; it was not fetched`);
  await download(best.url, join(folder, best.file), sha256, { say, ...(signal ? { signal } : {}) });
};

/** Fetches wheels into `folder`, by pip where there is one, else straight from the index; verified either way. */
export const fetchWheels = async (
  wanted: readonly WheelWanted[],
  folder: string,
  context: FetchContext,
): Promise<string[]> => {
  if (!(await byPip(wanted, folder, context))) {
    for (const name of await readdir(folder)) await rm(join(folder, name));
    for (const wheel of wanted) await byIndex(wheel, folder, context);
  }
  const files = (await readdir(folder)).map((name) => join(folder, name));
  for (const { file, sha256 } of wanted) {
    if (!file || !sha256) continue;
    const found = await digestOf(join(folder, file)).catch(() => 'no such file');
    if (found !== sha256) throw new Error(`${file}: expected SHA-256 ${sha256}, found ${found}`);
  }
  return files;
};
