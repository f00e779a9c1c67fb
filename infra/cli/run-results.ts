import { cp, mkdir, readdir } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { StageError } from '../../schemas/errors.ts';
import { readEnvironment } from '../env.ts';
import { outputFile, outputFolder } from '../output.ts';
import { createFileStore } from '../store/fs.ts';
import { type RunSnapshot, verdictOf } from './run-view.ts';
import { columns } from './table.ts';

/** Where the results of a run lie on this machine, and what a user would do with them next. */
export interface RunResults {
  /** The report as a page; null where the store of this machine does not hold it. */
  report: string | null;
  /** Branch of the run (`halo`) → folder of its synthetic cohort; null where the store does not hold it. */
  cohorts: Record<string, string | null>;
  /** Data set of the run (`halo:mimic-iii`) → its folder; null where the store does not hold it. */
  exports: Record<string, string | null>;
  /** Store that was looked in. */
  store: string;
  /** The report's sentence on a release. */
  verdict?: string;
  /** Command lines. */
  next: string[];
}

type Outcome = Pick<RunSnapshot, 'run' | 'nodes' | 'state'>;

/**
 * Path of a file of an artifact; null where this store lacks it, as when workers have a store of their own.
 */
const pathIn = async (store: string, ref: ArtifactRef, file: string): Promise<string | null> => {
  try {
    return await (await createFileStore(store).open(ref)).path(file);
  } catch (error) {
    if (error instanceof StageError && error.code === 'ArtifactMissing') return null;
    throw error;
  }
};

/** A path as a user would type it: relative where that is shorter. */
export const shownPath = (path: string): string => {
  const near = relative(process.cwd(), path) || '.';
  return near.length < path.length ? near : path;
};

/**
 * A command line that finds this store: without the variable where it is the one that commands look in
 * anyway.
 */
const commandOn = (store: string, line: string): string =>
  `${store === readEnvironment().store ? '' : `UNDERSTUDY_STORE=${shownPath(store)} `}npx understudy ${line}`;

const reportRef = ({ nodes }: Outcome): ArtifactRef | undefined =>
  nodes.find(({ stage }) => stage === 'report')?.result?.ref;

/**
 * The results of a completed run, each file checked against its manifest; undefined while a run has no
 * report. `store` is the store of this machine. Throws ArtifactCorrupt.
 */
export const resultsOf = async (outcome: Outcome, store: string): Promise<RunResults | undefined> => {
  const made = reportRef(outcome);
  if (outcome.state !== 'completed' || !made) return undefined;
  /** Folders of what a stage made, by what its node is called after the stage. */
  const foldersOf = async (wanted: string, holds: string) => {
    const folders: Record<string, string | null> = {};
    for (const { id, stage, result } of outcome.nodes) {
      if (stage !== wanted || !result) continue;
      const file = await pathIn(store, result.ref, holds);
      folders[id.replace(`${wanted}:`, '')] = file && dirname(file);
    }
    return folders;
  };
  const cohorts = await foldersOf('generate', 'token-cohort.json');
  const exports = await foldersOf('export', 'README.md');
  const report = await pathIn(store, made, 'report.html');
  const digits = made.digest.slice(0, 12);
  const [branch, ...others] = Object.keys(cohorts);
  const which = others.length > 0 ? ` --generator ${branch}` : '';
  const next = report
    ? [
        commandOn(store, `open ${digits}`),
        commandOn(store, `export ${digits}${which} --as mimic-iii --out DIR`),
      ]
    : [];
  return { report, cohorts, exports, store, verdict: verdictOf(outcome), next };
};

/** Results as lines for a terminal. */
const resultLines = ({ report, cohorts, exports, store, verdict, next }: RunResults): string[] => {
  const placed = (path: string | null) => (path ? shownPath(path) : `not in the store ${shownPath(store)}`);
  return [
    columns([
      ['report', placed(report)],
      ...Object.entries(cohorts).map(([branch, path]) => [`cohort ${branch}`, placed(path)]),
      ...Object.entries(exports).map(([name, path]) => [`data set ${name}`, placed(path)]),
      ...next.map((line) => ['next', line]),
    ]),
    ...(verdict ? [`verdict  ${verdict}`] : []),
  ];
};

/**
 * Copies the report, page and numbers, into a folder; files of an earlier run are replaced. Returns the
 * page's path.
 */
const copyReport = async (report: string, folder: string): Promise<string> => {
  await mkdir(folder, { recursive: true });
  for (const name of ['report.json', 'report.html']) {
    const file = await outputFile(join(folder, name), true);
    try {
      await file.publish(({ folder: at }) => cp(join(dirname(report), name), join(at, name)));
    } finally {
      await file.discard();
    }
  }
  return join(folder, 'report.html');
};

/**
 * Copies data sets, each into a folder of its own (`halo-mimic-iii`); those of an earlier run are replaced, folders
 * with other files are not. Returns where they are.
 */
const copyDataSets = async (
  exports: RunResults['exports'],
  folder: string,
): Promise<RunResults['exports']> => {
  const copies: RunResults['exports'] = {};
  for (const [name, from] of Object.entries(exports)) {
    copies[name] = from;
    if (from === null) continue;
    // The manifest is the store's own.
    const entries = (await readdir(from)).filter((entry) => entry !== 'manifest.json');
    const place = await outputFolder(join(folder, name.replaceAll(':', '-')), entries, true);
    try {
      copies[name] = await place.publishFrom(async (into) => {
        for (const entry of entries) await cp(join(from, entry), join(into, entry), { recursive: true });
        return join(folder, name.replaceAll(':', '-'));
      });
    } finally {
      await place.discard();
    }
  }
  return copies;
};

/**
 * How a command that has seen a run to its end shows its results: printed, and report and data sets copied to `out`
 * where that is given.
 */
export const showResults = async (
  outcome: Outcome,
  { store, out }: { store: string; out?: string },
  print: (text: string) => void,
): Promise<RunResults | undefined> => {
  const found = await resultsOf(outcome, store);
  if (!found) return undefined;
  const results =
    out !== undefined && found.report
      ? {
          ...found,
          report: await copyReport(found.report, resolve(out)),
          exports: await copyDataSets(found.exports, resolve(out)),
        }
      : found;
  for (const line of resultLines(results)) print(line);
  return results;
};

/**
 * The page of the one report in a store whose digest begins so. Throws ArtifactMissing, ArtifactCorrupt, and
 * InvalidUsage where several begin so.
 */
export const reportPage = async (folder: string, digits: string): Promise<string> => {
  const store = createFileStore(folder);
  const [found, ...others] = await store.find('report', digits);
  if (!found)
    throw new StageError(
      'ArtifactMissing',
      `no report ${digits} in the store ${folder}; UNDERSTUDY_STORE states which store is looked in`,
    );
  if (others.length > 0)
    throw new StageError(
      'InvalidUsage',
      `${digits} begins the digests of ${others.length + 1} reports: give more digits`,
    );
  return (await store.open(found)).path('report.html');
};
