import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { readCohort } from '../../pipelines/exchange/read/read-cohort.ts';
import type { ExportOrigin } from '../../pipelines/exchange/write/companions.ts';
import { exportOrigin } from '../../pipelines/exchange/write/export-origin.ts';
import { noSuchName } from '../../pipelines/kernel/names.ts';
import { readScorecard } from '../../pipelines/metrics/scorecard-file.ts';
import type { TokenCohort } from '../../pipelines/patients/visit-columns.ts';
import { readTokenCohort } from '../../pipelines/tokens/token-cohort-file.ts';
import { type ArtifactRef, manifest } from '../../schemas/artifact.ts';
import { StageError } from '../../schemas/errors.ts';
import type { Store } from '../../schemas/store.ts';
import { createFileStore } from '../store/fs.ts';

/** A synthetic cohort and where it comes from. */
export interface ExportSource {
  cohort: TokenCohort;
  origin: ExportOrigin;
}

/** Synthetic cohorts of one run, by branch, with what else is known of it. */
interface RunCohorts {
  cohorts: Map<string, ArtifactRef>;
  report?: ArtifactRef | undefined;
  run?: string;
}

const isDigest = (text: string): boolean => /^[0-9a-f]{6,64}$/.test(text);
const shortOf = ({ digest }: ArtifactRef): string => digest.slice(0, 12);

/** The one cohort that is meant. Throws InvalidUsage with the names to choose from. */
const chosen = (
  { cohorts }: RunCohorts,
  generator: string | undefined,
  what: string,
): [string, ArtifactRef] => {
  if (cohorts.size === 0)
    throw new StageError(
      'ArtifactMissing',
      `${what} has no synthetic cohort yet; wait for its generate stages`,
    );
  const names = [...cohorts.keys()];
  if (generator === undefined && cohorts.size > 1)
    throw new StageError(
      'InvalidUsage',
      `${what} has the cohorts of ${names.length} generators; choose one: ${names.map((name) => `--generator ${name}`).join(' or ')}`,
    );
  const name = generator ?? (names[0] as string);
  const ref = cohorts.get(name);
  if (ref) return [name, ref];
  throw new StageError('InvalidUsage', `${what}: ${noSuchName('generator', name, names)}`);
};

const fromStore = async (
  store: Store,
  found: RunCohorts,
  generator: string | undefined,
  what: string,
): Promise<ExportSource> => {
  const [name, ref] = chosen(found, generator, what);
  const cohort = await readTokenCohort(await store.open(ref));
  const open = (other: ArtifactRef) => store.open(other);
  return {
    cohort,
    origin: await exportOrigin(ref, open, { generator: name, run: found.run, report: found.report }),
  };
};

/** The cohorts that a report is about, under the names of their scorecards. */
const cohortsOfReport = async (store: Store, report: ArtifactRef): Promise<RunCohorts> => {
  const { cards = [] } = (await store.open(report)).manifest.lineage.inputs;
  const cohorts = new Map<string, ArtifactRef>();
  for (const card of cards) {
    const artifact = await store.open(card);
    const [synthetic] = artifact.manifest.lineage.inputs['synthetic'] ?? [];
    if (synthetic) cohorts.set((await readScorecard(artifact)).generator, synthetic);
  }
  return { cohorts, report };
};

const only = (found: readonly ArtifactRef[], digits: string): ArtifactRef | undefined => {
  if (found.length < 2) return found[0];
  throw new StageError(
    'InvalidUsage',
    `${digits} begins the digests of ${found.length} artifacts (${found.slice(0, 4).map(shortOf).join(', ')}): give more digits`,
  );
};

const byDigest = async (
  store: Store,
  place: string,
  digits: string,
  generator?: string,
): Promise<ExportSource> => {
  const cohort = only(await store.find('token-cohort', digits), digits);
  if (cohort) {
    const { generator: name } = await readTokenCohort(await store.open(cohort));
    const cohorts = new Map([[name ?? 'real patients', cohort]]);
    return fromStore(store, { cohorts }, generator, `cohort ${shortOf(cohort)}`);
  }
  const report = only(await store.find('report', digits), digits);
  if (!report)
    throw new StageError(
      'ArtifactMissing',
      `no synthetic cohort and no report ${digits} in the store ${place}; UNDERSTUDY_STORE states which store is looked in`,
    );
  return fromStore(store, await cohortsOfReport(store, report), generator, `report ${shortOf(report)}`);
};

const byRun = async (store: Store, run: string, generator?: string): Promise<ExportSource> => {
  const { withClient } = await import('./with-client.ts');
  const { readSnapshot } = await import('./run-snapshot.ts');
  const { nodes } = await withClient((client) => readSnapshot(client, run));
  const cohorts = new Map<string, ArtifactRef>();
  for (const { id, stage, result } of nodes)
    if (stage === 'generate' && result) cohorts.set(id.replace(/^generate:/, ''), result.ref);
  const report = nodes.find(({ stage }) => stage === 'report')?.result?.ref;
  return fromStore(store, { cohorts, report, run }, generator, run);
};

/** Undefined for what is no JSON: then it is no manifest of ours. */
const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** An artifact's folder keeps its lineage where it lies in a store still. */
const byFolder = async (folder: string, scratch: string, generator?: string): Promise<ExportSource> => {
  const file = join(folder, 'manifest.json');
  if (existsSync(file)) {
    const { success, data } = manifest.safeParse(parsed(await readFile(file, 'utf8')));
    const root = dirname(dirname(dirname(folder)));
    if (success && data.kind === 'token-cohort' && basename(folder) === data.digest)
      return byDigest(createFileStore(root), root, data.digest, generator);
  }
  const { cohort } = await readCohort(folder, { scratch, modalities: ['dx', 'px', 'rx', 'lab'] });
  const name = generator ?? cohort.generator;
  return { cohort, origin: { generator: name ?? 'unknown', lineage: [] } };
};

/**
 * The synthetic cohort that is meant by the id of a run, the digest of a cohort or of a report in the store, or a folder
 * with a token cohort. Throws InvalidUsage where a run has several and none is named, ArtifactMissing,
 * ArtifactCorrupt, RunMissing.
 */
export const exportSource = async (
  what: string,
  { generator, store: place, scratch }: { generator?: string | undefined; store: string; scratch: string },
): Promise<ExportSource> => {
  const path = resolve(what);
  if (existsSync(path) && statSync(path).isDirectory()) return byFolder(path, scratch, generator);
  if (what.includes('/'))
    throw new StageError(
      'SourceMissing',
      `${what}: there is no such folder; expected a run, a digest or a folder`,
    );
  const store = createFileStore(place);
  return isDigest(what) ? byDigest(store, place, what, generator) : byRun(store, what, generator);
};
