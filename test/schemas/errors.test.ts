import test from 'ava';
import { failures, nonRetryableCodes, StageError } from '../../schemas/errors.ts';

test('each failure has a hint in plain words and an exit status that sysexits knows', (t) => {
  for (const [code, { exit, hint }] of Object.entries(failures)) {
    t.regex(code, /^[A-Z][A-Za-z]+$/);
    t.true(exit >= 64 && exit <= 78, code);
    t.regex(hint, /^[a-z`].*[^.]$/, code);
  }
});

test('codes that no retry helps are just those the table calls so', (t) => {
  for (const [code, { retryable }] of Object.entries(failures))
    t.is(
      nonRetryableCodes.some((name) => name === code),
      !retryable,
      code,
    );
  t.true(nonRetryableCodes.includes('InvalidConfig'));
  t.false(nonRetryableCodes.includes('StoreUnavailable'));
});

test('a stage error is told apart by its code, keeps its cause, and takes known codes only', (t) => {
  const cause = new Error('ENOSPC');
  const error = new StageError('StoreUnavailable', 'disk is full', { cause });
  t.is(error.code, 'StoreUnavailable');
  t.is(error.name, 'StoreUnavailable');
  t.is(error.cause, cause);
  // @ts-expect-error not in the table
  t.is(new StageError('Tired', 'no').name, 'Tired');
});
