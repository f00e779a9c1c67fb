import { cp, mkdir } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { StageError } from '../../schemas/errors.ts';
import { readEnvironment } from '../env.ts';
import { outputFile } from '../output.ts';
import { createFileStore } from '../store/fs.ts';
import { type RunSnapshot, verdictOf } from './run-view.ts';
import { columns } from './table.ts';

/** Where the results of a run lie on this machine, and what a user would do with them next. */
export interface RunResults {
  /** The report as a page; null where the store of this machine does not hold it. */
  report: string | null;
  /** Branch of the run (`halo`) → folder of its synthetic cohort; null where the store does not hold it. */
  cohorts: Record<string, string | null>;
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
  const cohorts: RunResults['cohorts'] = {};
  for (const { id, stage, result } of outcome.nodes) {
    if (stage !== 'generate' || !result) continue;
    const file = await pathIn(store, result.ref, 'token-cohort.json');
    cohorts[id.replace(/^generate:/, '')] = file && dirname(file);
  }
  const report = await pathIn(store, made, 'report.html');
  const next = report ? [commandOn(store, `open ${made.digest.slice(0, 12)}`)] : [];
  return { report, cohorts, store, verdict: verdictOf(outcome), next };
};

/** Results as lines for a terminal. */
const resultLines = ({ report, cohorts, store, verdict, next }: RunResults): string[] => {
  const placed = (path: string | null) => (path ? shownPath(path) : `not in the store ${shownPath(store)}`);
  return [
    columns([
      ['report', placed(report)],
      ...Object.entries(cohorts).map(([branch, path]) => [`cohort ${branch}`, placed(path)]),
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
 * How a command that has seen a run to its end shows its results: printed, and the report copied to `out`
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
      ? { ...found, report: await copyReport(found.report, resolve(out)) }
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
