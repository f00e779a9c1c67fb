import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { type ArtifactKind, type ArtifactRef, artifactRef, lineage } from '../../schemas/artifact.ts';
import { canonicalJson } from '../../schemas/canonical-json.ts';
import { StageError } from '../../schemas/errors.ts';
import type { CacheEntry, OpenArtifact, Store } from '../../schemas/store.ts';
import { draftFolder, openFolder, readManifest } from './artifact-folder.ts';
import { sha256 } from './bytes.ts';
import { CheckpointSlots } from './checkpoint-slots.ts';
import { guarded, guardedIfThere } from './store-failure.ts';
import { TempFolder } from './temp-folder.ts';

const cacheEntry = z.object({
  key: z.string(),
  ref: artifactRef,
  lineage,
  at: z.string(),
  run: z.string().optional(),
  node: z.string().optional(),
});

const readEntry = async (path: string): Promise<CacheEntry | undefined> => {
  const text = await guardedIfThere('reading the cache', () => readFile(path, 'utf8'));
  if (text === undefined) return undefined;
  try {
    const { run, node, ...entry } = cacheEntry.parse(JSON.parse(text));
    return { ...entry, ...(run !== undefined && { run }), ...(node !== undefined && { node }) };
  } catch {
    // A spoiled cache entry costs one more computation and nothing else.
    return undefined;
  }
};

/** An entry of the history is named so that names sort by time. */
const historyName = ({ at, key }: CacheEntry): string =>
  `${at.replaceAll(':', '-')}~${sha256(canonicalJson([key, at])).slice(0, 12)}.json`;

/**
 * A store in a folder: `artifacts/<kind>/<digest>`, `cache`, `history`, `checkpoints`, and `temp` for what is
 * being made. Several processes may share it. Nothing is created before the first write; reads never modify.
 * System errors (disk full, no rights) surface as StoreUnavailable.
 */
export const createFileStore = (folder: string): Store => {
  const root = resolve(folder);
  const temp = new TempFolder(join(root, 'temp'));
  const checkpoints = new CheckpointSlots(join(root, 'checkpoints'), temp);
  const home = ({ kind, digest }: ArtifactRef): string => join(root, 'artifacts', kind, digest);
  const cachePath = (key: string): string => join(root, 'cache', `${key}.json`);
  const historyFolder = (stage: string): string => join(root, 'history', stage);

  return {
    open: <K extends ArtifactKind>(ref: ArtifactRef<K>): Promise<OpenArtifact> => openFolder(home(ref), ref),

    find: async (kind, prefix) => {
      const names = await guardedIfThere('listing artifacts', () => readdir(join(root, 'artifacts', kind)));
      const digests = (names ?? []).filter((name) => /^[0-9a-f]{64}$/.test(name) && name.startsWith(prefix));
      return digests.sort().map((digest) => ({ kind, digest }));
    },

    draft: async (kind) =>
      draftFolder(await guarded('starting an artifact', () => temp.reserve()), kind, home),

    cached: async (key) => {
      const entry = await readEntry(cachePath(key));
      if (!entry || entry.key !== key) return undefined;
      const stands = await readManifest(home(entry.ref), entry.ref).catch((error: unknown) => {
        if (error instanceof StageError && error.code === 'ArtifactCorrupt') return undefined;
        throw error;
      });
      return stands && entry;
    },

    history: async (stage, limit) => {
      const names = await guardedIfThere('reading the history', () => readdir(historyFolder(stage)));
      const newest = (names ?? []).sort().reverse().slice(0, limit);
      const entries = await Promise.all(newest.map((name) => readEntry(join(historyFolder(stage), name))));
      return entries.filter((entry) => entry !== undefined);
    },

    remember: (entry) =>
      guarded('writing the cache', async () => {
        const text = `${JSON.stringify(entry)}\n`;
        await temp.replace(join(historyFolder(entry.lineage.stage), historyName(entry)), [text]);
        await temp.replace(cachePath(entry.key), [text]);
      }),

    readCheckpoint: (key) => checkpoints.read(key),
    writeCheckpoint: (key, checkpoint, watch) => checkpoints.write(key, checkpoint, watch),
    dropCheckpoint: (key) => checkpoints.drop(key),
  };
};
