import { StageError } from '../../schemas/errors.ts';

/** The errno of a Node system error, or undefined when it is none. */
export const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && 'syscall' in error && 'code' in error ? String(error.code) : undefined;

/** Runs one piece of store work; a system error in it (disk full, no rights, gone) becomes StoreUnavailable. */
export const guarded = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === undefined) throw cause;
    throw new StageError('StoreUnavailable', `the artifact store failed while ${doing}: ${errno}`, { cause });
  }
};

/** The same, but a thing that is not there gives undefined. */
export const guardedIfThere = async <T>(doing: string, work: () => Promise<T>): Promise<T | undefined> =>
  guarded(doing, async () => {
    try {
      return await work();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  });
