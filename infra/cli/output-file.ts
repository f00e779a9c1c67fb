import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { StageError } from '../../schemas/errors.ts';
import { flush } from '../store/bytes.ts';
import { errnoOf } from '../store/store-failure.ts';

/** A file that appears whole or not at all. */
export interface OutputFile {
  /** Folder beside it where it is written under its own name; gone afterwards whatever happens. */
  folder: string;
  /** For what is needed on the way. */
  scratch: string;
  /** Puts the file in its place. */
  publish(): Promise<void>;
  discard(): Promise<void>;
}

/** Prepares a file. Throws InvalidUsage where one is there that may not be replaced, StoreUnavailable without rights. */
export const outputFile = async (path: string, force: boolean): Promise<OutputFile> => {
  const place = resolve(path);
  const there = await stat(place).catch(() => undefined);
  if (there?.isDirectory()) throw new StageError('InvalidUsage', `${place} is a folder; expected a file`);
  if (there && !force)
    throw new StageError(
      'InvalidUsage',
      `${place} is there already: name another file, or replace it with --force`,
    );
  const draft = join(dirname(place), `.${basename(place)}.${process.pid}.${randomBytes(4).toString('hex')}`);
  const folder = join(draft, 'made');
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new StageError('StoreUnavailable', `${place} cannot be written: ${errnoOf(cause) ?? 'unknown'}`, {
      cause,
    });
  }
  return {
    folder,
    scratch: join(draft, 'scratch'),
    publish: async () => {
      await rename(join(folder, basename(place)), place);
      await flush(dirname(place));
    },
    discard: () => rm(draft, { recursive: true, force: true }),
  };
};
