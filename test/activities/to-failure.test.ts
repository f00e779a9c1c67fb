import { readFile } from 'node:fs/promises';
import { ApplicationFailure } from '@temporalio/activity';
import test from 'ava';
import { z } from 'zod';
import { toFailure } from '../../activities/to-failure.ts';
import { type FailureCode, failures, StageError } from '../../schemas/errors.ts';

const told = (error: unknown): ApplicationFailure => {
  const failure = toFailure(error);
  if (failure instanceof ApplicationFailure) return failure;
  throw new TypeError('not classified');
};

test('a failure of the table keeps its code, words and stack, and is retried as the table says', (t) => {
  for (const code of Object.keys(failures) as FailureCode[]) {
    const error = new StageError(code, 'expected this, found that');
    const failure = told(error);
    t.is(failure.type, code);
    t.is(failure.message, 'expected this, found that');
    t.is(failure.nonRetryable, !failures[code].retryable);
    t.is(failure.stack, error.stack);
  }
});

const classified = test.macro((t, error: Error, code: FailureCode) => {
  t.is(told(error).type, code);
});
test('schema', classified, z.object({ a: z.string() }).safeParse({}).error as Error, 'InvalidConfig');
test('TensorFlow memory', classified, new Error('OOM when allocating tensor with shape[9,9]'), 'OutOfMemory');
test('DuckDB memory', classified, new Error('Out of Memory Error: failed to pin block'), 'OutOfMemory');
test('CUDA', classified, new Error('CUDA_ERROR_LAUNCH_FAILED: unspecified'), 'DeviceLost');
for (const [errno, code] of [
  ['ENOSPC', 'StoreUnavailable'],
  ['ECONNRESET', 'StoreUnavailable'],
  ['EACCES', 'StoreUnavailable'],
  ['ENOENT', 'SourceMissing'],
] as const)
  test(errno, classified, Object.assign(new Error(errno), { code: errno, syscall: 'write' }), code);

test('a real system error is one too', async (t) => {
  t.is(told(await readFile('/no/such/file').catch((error: unknown) => error)).type, 'SourceMissing');
});

test('what might quote a patient stays behind: words of DuckDB and causes', (t) => {
  const quoting = new Error("Conversion Error: Could not convert string '10006' to DATE");
  const failure = told(quoting);
  t.is(failure.type, 'SourceMalformed');
  t.notRegex(failure.message, /10006/);
  t.notRegex(failure.stack ?? '', /10006/);
  const wrapped = told(new StageError('SourceMalformed', 'PATIENTS.csv line 3: no date', { cause: quoting }));
  t.is(wrapped.cause, undefined);
});

test('what nobody knows passes unchanged', (t) => {
  const error = new TypeError('x is not a function');
  t.is(toFailure(error), error);
  t.is(toFailure('text'), 'text');
});
