import { existsSync, mkdirSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, relative, sep } from 'node:path';
import { type ArtifactKind, type ArtifactRef, type Manifest, manifest } from '../../schemas/artifact.ts';
import { canonicalJson } from '../../schemas/canonical-json.ts';
import { StageError } from '../../schemas/errors.ts';
import type { Draft, OpenArtifact } from '../../schemas/store.ts';
import { fileDigest, flush, readStart, sha256 } from './bytes.ts';
import { errnoOf, guarded, guardedIfThere } from './store-failure.ts';
import type { TempPlace } from './temp-folder.ts';

const manifestFile = 'manifest.json';

/** The digest of an artifact: over its kind, its files' digests and its lineage; not over when it was made. */
const artifactDigest = ({ kind, files, lineage }: Pick<Manifest, 'kind' | 'files' | 'lineage'>): string =>
  sha256(canonicalJson({ kind, files, lineage }));

const inside = (folder: string, file: string): string => {
  const path = normalize(join(folder, file));
  if (isAbsolute(file) || !path.startsWith(folder + sep) || file === manifestFile)
    throw new RangeError(`${file} is no name for a file of an artifact`);
  return path;
};

const describe = ({ kind, digest }: ArtifactRef): string => `${kind} ${digest.slice(0, 12)}`;

/** The manifest of an artifact in `folder`, or undefined when none is there. Throws ArtifactCorrupt. */
export const readManifest = async (folder: string, ref: ArtifactRef): Promise<Manifest | undefined> => {
  const text = await guardedIfThere(`reading the manifest of ${describe(ref)}`, () =>
    readFile(join(folder, manifestFile), 'utf8'),
  );
  if (text === undefined) return undefined;
  const corrupt = (what: string, cause?: unknown) =>
    new StageError('ArtifactCorrupt', `${manifestFile} of ${describe(ref)} ${what}`, { cause });
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw corrupt('is not JSON', cause);
  }
  const { success, data, error } = manifest.safeParse(raw);
  if (!success) throw corrupt('does not have the shape of a manifest', error);
  if (data.digest !== ref.digest || data.kind !== ref.kind || artifactDigest(data) !== ref.digest)
    throw corrupt('does not give the digest it is filed under');
  return data;
};

/** Opens the artifact in `folder`. Throws ArtifactMissing; its files are digested on first touch. */
export const openFolder = async (folder: string, ref: ArtifactRef): Promise<OpenArtifact> => {
  const found = await readManifest(folder, ref);
  if (!found) throw new StageError('ArtifactMissing', `the store has no ${describe(ref)}`);
  const verified = new Set<string>();
  const entry = (file: string): Manifest['files'][number] => {
    const listed = found.files.find(({ path }) => path === file);
    if (!listed) throw new StageError('ArtifactMissing', `${describe(ref)} has no file ${file}`);
    return listed;
  };
  const touch = async <T>(file: string, read: (path: string) => Promise<[digest: string, T]>): Promise<T> => {
    const { sha256: expected } = entry(file);
    const outcome = await guardedIfThere(`reading ${file}`, () => read(join(folder, file)));
    if (!outcome) throw new StageError('ArtifactCorrupt', `${describe(ref)} lost its file ${file}`);
    const [digest, value] = outcome;
    if (digest !== expected)
      throw new StageError('ArtifactCorrupt', `${file} of ${describe(ref)} differs from its manifest`);
    verified.add(file);
    return value;
  };
  const bytes = (file: string) =>
    touch(file, async (path) => {
      const content = await readStart(path);
      return [verified.has(file) ? entry(file).sha256 : sha256(content), content];
    });
  return {
    ref,
    manifest: found,
    bytes,
    path: (file) =>
      verified.has(file)
        ? Promise.resolve(join(folder, file))
        : touch(file, async (path) => [(await fileDigest(path)).sha256, path]),
    json: async (file) => JSON.parse(new TextDecoder().decode(await bytes(file))),
  };
};

const listFiles = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
    .sort();

const seal = async (folder: string): Promise<Manifest['files']> => {
  const files: Manifest['files'] = [];
  for (const path of await listFiles(folder)) {
    const absolute = join(folder, path);
    await chmod(absolute, 0o444);
    await flush(absolute);
    files.push({ path, ...(await fileDigest(absolute)) });
  }
  return files;
};

/**
 * A draft in a temporary folder that `commit` moves to the folder `home` gives for its digest. The folder is made once:
 * when another process has swept it away, as after a long freeze of this one, writing and committing throw
 * StoreUnavailable, for an artifact without its first files would look whole.
 */
export const draftFolder = async (
  place: TempPlace,
  kind: ArtifactKind,
  home: (ref: ArtifactRef) => string,
): Promise<Draft> => {
  const { path: folder } = place;
  await guarded('starting an artifact', () => mkdir(folder));
  const path = (file: string): string => {
    const absolute = inside(folder, file);
    if (!existsSync(folder))
      throw new StageError(
        'StoreUnavailable',
        `the unfinished ${kind} is gone: it was removed as abandoned, for its lease had not been renewed in time`,
      );
    mkdirSync(dirname(absolute), { recursive: true });
    return absolute;
  };
  const discard = () =>
    guarded('discarding an artifact', async () => {
      await rm(folder, { recursive: true, force: true });
      await place.free();
    });
  const commit: Draft['commit'] = (header) =>
    guarded(`committing a ${kind}`, async () => {
      const files = await seal(folder);
      const digest = artifactDigest({ kind, files, lineage: header.lineage });
      const ref = { kind, digest };
      const whole: Manifest = { kind, digest, files, ...header };
      await writeFile(join(folder, manifestFile), `${JSON.stringify(whole, null, 2)}\n`, { flush: true });
      await flush(folder);
      const target = home(ref);
      await mkdir(dirname(target), { recursive: true });
      try {
        await rename(folder, target);
      } catch (error) {
        if (!['ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '')) throw error;
        await discard();
      }
      await flush(dirname(target));
      await place.free();
      return ref;
    });
  return {
    path,
    write: (file, content) =>
      guarded(`writing ${file}`, async () => {
        await place.renew();
        await writeFile(path(file), content);
      }),
    commit,
    discard,
  };
};
