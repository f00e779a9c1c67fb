import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { StageError } from '../../schemas/errors.ts';
import { flush } from '../store/bytes.ts';
import { errnoOf } from '../store/store-failure.ts';

/** A folder that appears whole or not at all. */
export interface OutputFolder {
  /** For what is needed on the way; on the same disk, gone afterwards whatever happens. */
  scratch: string;
  /** Writes the files and puts the folder in its place. Throws StoreUnavailable. */
  publish(files: Record<string, string | Uint8Array>): Promise<void>;
  discard(): Promise<void>;
}

const guardedAt = async <T>(folder: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === undefined) throw cause;
    throw new StageError('StoreUnavailable', `${folder} cannot be written: ${errno}`, { cause });
  }
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
const checkFree = async (folder: string, ours: readonly string[], force: boolean): Promise<boolean> => {
  const entries = await entriesOf(folder);
  const strange = entries.filter((entry) => !ours.includes(entry));
  if (strange.length > 0)
    throw new StageError(
      'InvalidUsage',
      `${folder} holds other files than ours (${strange.slice(0, 4).join(', ')}${strange.length > 4 ? ', …' : ''}) and is ` +
        'left as it is: name another folder',
    );
  if (entries.length > 0 && !force)
    throw new StageError(
      'InvalidUsage',
      `${folder} is there already: name another folder, or replace it with --force`,
    );
  return entries.length > 0;
};

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
 * before, and they are replaced only by `force`. Throws InvalidUsage, before anything is computed.
 */
export const outputFolder = async (
  path: string,
  ours: readonly string[],
  force: boolean,
): Promise<OutputFolder> => {
  const folder = resolve(path);
  await guardedAt(folder, () => checkFree(folder, ours, force));
  const draft = join(
    dirname(folder),
    `.${basename(folder)}.${process.pid}.${randomBytes(4).toString('hex')}`,
  );
  const made = join(draft, 'made');
  await guardedAt(folder, () => mkdir(made, { recursive: true }));
  return {
    scratch: join(draft, 'scratch'),
    publish: (files) =>
      guardedAt(folder, async () => {
        for (const [name, content] of Object.entries(files))
          await writeFile(join(made, name), content, { flush: true });
        if (await checkFree(folder, ours, force)) await replace(made, folder, join(draft, 'old'));
        else await rename(made, folder);
        await flush(dirname(folder));
      }),
    discard: () => rm(draft, { recursive: true, force: true }),
  };
};
