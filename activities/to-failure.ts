import { ApplicationFailure } from '@temporalio/activity';
import { z } from 'zod';
import { type FailureCode, failures, StageError } from '../schemas/errors.ts';

/** System errors that reach us from outside the store, which classifies its own. */
const byErrno: Record<string, FailureCode> = {
  ENOENT: 'SourceMissing',
  ENOTDIR: 'SourceMissing',
  EACCES: 'StoreUnavailable',
  EPERM: 'StoreUnavailable',
  EROFS: 'StoreUnavailable',
  ENOSPC: 'StoreUnavailable',
  EDQUOT: 'StoreUnavailable',
  EFBIG: 'StoreUnavailable',
  EIO: 'StoreUnavailable',
  EMFILE: 'StoreUnavailable',
  ECONNRESET: 'StoreUnavailable',
  ECONNREFUSED: 'StoreUnavailable',
  ETIMEDOUT: 'StoreUnavailable',
};

/** Messages of libraries. `withheld` replaces them where they may quote a value of a patient. */
const byWords: { pattern: RegExp; code: FailureCode; withheld?: string }[] = [
  { pattern: /OOM when allocating|RESOURCE_EXHAUSTED|failed to allocate memory/i, code: 'OutOfMemory' },
  { pattern: /^Out of Memory Error|Array buffer allocation failed/, code: 'OutOfMemory' },
  { pattern: /CUDA_ERROR|CUDNN_STATUS|device.*(lost|removed)/i, code: 'DeviceLost' },
  { pattern: /No space left on device/, code: 'StoreUnavailable' },
  {
    pattern: /^(Conversion|Constraint|Invalid Input|Out of Range) Error/,
    code: 'SourceMalformed',
    withheld:
      'DuckDB could not take a value of the source; its message is withheld, because it may quote the value',
  },
];

const errnoOf = (error: Error): string | undefined =>
  'syscall' in error && 'code' in error ? String(error.code) : undefined;

const classify = (error: Error): StageError | undefined => {
  if (error instanceof StageError) return error;
  if (error instanceof z.ZodError)
    return new StageError('InvalidConfig', z.prettifyError(error), { cause: error });
  const code = byErrno[errnoOf(error) ?? ''];
  if (code) return new StageError(code, error.message, { cause: error });
  const known = byWords.find(({ pattern }) => pattern.test(error.message));
  return known && new StageError(known.code, known.withheld ?? error.message, { cause: error });
};

/** An attempt's error as plain data, for where it cannot be thrown: across processes, and in a local run's table. */
export const failureOf = (error: unknown): { code: string; message: string } => {
  const known = error instanceof Error ? (classify(error) ?? error) : new Error(String(error));
  return { code: known.name, message: known.message };
};

/** Which row of the table of failures an error belongs to, if any. */
export const failureCode = (error: unknown): FailureCode | undefined =>
  error instanceof Error ? classify(error)?.code : undefined;

/**
 * Any error as Temporal should get it: known kinds become an ApplicationFailure whose type is their code and
 * which is retried only where the table has it so; the rest passes unchanged and is retried.
 * The message ends in the history for good, so it must never hold a value of a patient. Causes may (a library
 * quotes the value that it could not read), so they stay behind; the stack goes along.
 */
export const toFailure = (error: unknown): unknown => {
  const known = error instanceof Error && classify(error);
  if (!known) return error;
  const failure = ApplicationFailure.create({
    type: known.code,
    message: known.message,
    nonRetryable: !failures[known.code].retryable,
  });
  if (known.stack) failure.stack = known.stack;
  return failure;
};
