import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { StageError } from '../schemas/errors.ts';
import { flush } from './store/bytes.ts';
import { errnoOf } from './store/store-failure.ts';

/** Where the parts of an output are made: in a folder beside its place, so that it gets there by a rename. */
interface Draft {
  /** Becomes the output, or holds it. */
  made: string;
  /** What was there before, until the new one is. */
  old: string;
  scratch: string;
  discard(): Promise<void>;
}

/** A file that appears whole or not at all. */
export interface OutputFile {
  /** For what is needed on the way; on the same disk, gone after `discard`. */
  scratch: string;
  /**
   * Makes the file, or has it made as `name` in `folder`, and puts it in its place. Throws StoreUnavailable where it
   * cannot be written, and InvalidUsage where another file has taken the place meanwhile that may not be replaced.
   */
  publish(content: FileContent): Promise<void>;
  /** Removes all but what was published. */
  discard(): Promise<void>;
}
type FileContent =
  | string
  | Uint8Array
  | ((place: { folder: string; name: string; scratch: string }) => Promise<void>);

/** A folder that appears whole or not at all. */
export interface OutputFolder {
  /** For what is needed on the way; on the same disk, gone after `discard`. */
  scratch: string;
  /** Writes the files and puts the folder in its place. Throws as `publish` of a file does. */
  publish(files: Record<string, string | Uint8Array>): Promise<void>;
  /** The same with a writer, who gets a folder that is there and empty; gives what that gives. */
  publishFrom<T>(write: (folder: string) => Promise<T>): Promise<T>;
  discard(): Promise<void>;
}

/** System errors that a person can do something about, with what libraries call them that give no errno. */
const reasons: Readonly<Record<string, readonly [text: string, words?: RegExp]>> = {
  ENOSPC: ['the disk is full', /No space left on device/],
  EDQUOT: ['the quota of the disk is used up', /Disk quota exceeded/],
  EACCES: ['no write rights', /Permission denied/],
  EPERM: ['no write rights', /Operation not permitted/],
  EROFS: ['its file system is read-only', /Read-only file system/],
  EFBIG: ['it is larger than files may be'],
  ENOTDIR: ['a part of its path is a file'],
};

const failureAt = (place: string, cause: unknown): unknown => {
  if (!(cause instanceof Error) || cause instanceof StageError) return cause;
  const named = Object.keys(reasons).find((key) => reasons[key]?.[1]?.test(cause.message));
  const errno = errnoOf(cause) ?? named;
  if (errno === undefined) return cause;
  const [text] = reasons[errno] ?? ['the system refuses it'];
  return new StageError('StoreUnavailable', `${place} cannot be written: ${text} (${errno})`, { cause });
};

const guardedAt = async <T>(place: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (cause) {
    throw failureAt(place, cause);
  }
};

const draftBeside = async (place: string): Promise<Draft> => {
  const name = `.${basename(place)}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const draft = join(dirname(place), name);
  const made = join(draft, 'made');
  await guardedAt(place, () => mkdir(made, { recursive: true }));
  return {
    made,
    old: join(draft, 'old'),
    scratch: join(draft, 'scratch'),
    discard: () => guardedAt(place, () => rm(draft, { recursive: true, force: true })),
  };
};

const taken = (place: string, other: string): StageError =>
  new StageError(
    'InvalidUsage',
    `${place} is there already: name another ${other}, or replace it with --force`,
  );

/** Throws InvalidUsage unless the place is free, or holds a file that may be replaced. */
const checkFileFree = async (file: string, force: boolean): Promise<void> => {
  const there = await stat(file).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (there?.isDirectory()) throw new StageError('InvalidUsage', `${file} is a folder; expected a file`);
  if (there && !force) throw taken(file, 'file');
};

/**
 * Prepares a file beside `path` that takes its place when published; one that is there is replaced only by `force`.
 * Throws InvalidUsage and StoreUnavailable, before anything is computed.
 */
export const outputFile = async (path: string, force: boolean): Promise<OutputFile> => {
  const file = resolve(path);
  await guardedAt(file, () => checkFileFree(file, force));
  const { made: folder, scratch, discard } = await draftBeside(file);
  const name = basename(file);
  const made = join(folder, name);
  const publish = async (content: FileContent): Promise<void> => {
    if (typeof content === 'function') await content({ folder, name, scratch });
    else await writeFile(made, content);
    await flush(made);
    await checkFileFree(file, force);
    await rename(made, file);
    await flush(dirname(file));
  };
  return { scratch, discard, publish: (content) => guardedAt(file, () => publish(content)) };
};

const entriesOf = async (folder: string): Promise<string[]> => {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    if (errnoOf(error) === 'ENOTDIR')
      throw new StageError('InvalidUsage', `${folder} is a file; expected a folder`);
    throw error;
  }
};

/** Throws InvalidUsage unless the folder is free, or holds no files but ours and may be replaced. */
const checkFolderFree = async (folder: string, ours: readonly string[], force: boolean): Promise<boolean> => {
  const entries = await entriesOf(folder);
  const strange = entries.filter((entry) => !ours.includes(entry));
  if (strange.length > 0)
    throw new StageError(
      'InvalidUsage',
      `${folder} holds other files than ours (${strange.slice(0, 4).join(', ')}${strange.length > 4 ? ', …' : ''}) and is ` +
        'left as it is: name another folder',
    );
  if (entries.length > 0 && !force) throw taken(folder, 'folder');
  return entries.length > 0;
};

/** A folder that has files in it cannot be renamed over; the old one comes back where the new one does not get in. */
const replace = async (made: string, folder: string, old: string): Promise<void> => {
  await rename(folder, old);
  try {
    await rename(made, folder);
  } catch (error) {
    await rename(old, folder);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
};

/**
 * Prepares a folder beside `path` that takes its place when published. `ours` are the only files that may lie there
 * before, and they are replaced only by `force`. Throws InvalidUsage and StoreUnavailable, before anything is computed.
 */
export const outputFolder = async (
  path: string,
  ours: readonly string[],
  force: boolean,
): Promise<OutputFolder> => {
  const folder = resolve(path);
  await guardedAt(folder, () => checkFolderFree(folder, ours, force));
  const { made, old, scratch, discard } = await draftBeside(folder);
  const publishFrom = async <T>(write: (folder: string) => Promise<T>): Promise<T> => {
    const result = await write(made);
    for (const entry of await readdir(made, { recursive: true, withFileTypes: true }))
      await flush(join(entry.parentPath, entry.name));
    await flush(made);
    if (await checkFolderFree(folder, ours, force)) await replace(made, folder, old);
    else await rename(made, folder);
    await flush(dirname(folder));
    return result;
  };
  const publish: OutputFolder['publish'] = (files) =>
    publishFrom(async (into) => {
      for (const [name, content] of Object.entries(files)) await writeFile(join(into, name), content);
    });
  return {
    scratch,
    discard,
    publish: (files) => guardedAt(folder, () => publish(files)),
    publishFrom: (write) => guardedAt(folder, () => publishFrom(write)),
  };
};
