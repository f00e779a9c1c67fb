import { createServer } from 'node:net';
import test from 'ava';
import { doctorCommand } from '../../infra/cli/doctor.ts';
import { FailedOutcome } from '../../infra/cli/failure-report.ts';
import type { Check } from '../../infra/doctor/check.ts';
import { examine } from '../../infra/doctor/doctor.ts';
import { checkCompiler, checkDisk } from '../../infra/doctor/machine.ts';
import { checkServer, checkTensorflow } from '../../infra/doctor/services.ts';
import { readEnvironment } from '../../infra/env.ts';
import { bareEnvironment } from '../helpers/bare-machine.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const named = (checks: readonly Check[], name: string) => checks.find((check) => check.name === name);

test('a provisioned machine passes, and every row that is not ok has its fix', async (t) => {
  const checks = await examine({ ...readEnvironment(), store: await tempFolder(t) });
  for (const name of [
    'Node',
    'npm packages',
    'TensorFlow',
    'GPU',
    'Temporal CLI',
    'cache',
    'store',
    'memory',
  ])
    t.truthy(named(checks, name), name);
  t.deepEqual(
    checks.filter(({ state }) => state === 'fail'),
    [],
  );
  t.regex(named(checks, 'TensorFlow')?.found ?? '', /GFLOP\/s/);
  for (const { name, state, fix } of checks) t.is(fix === undefined, state === 'ok', name);
});

test('a bare machine fails with the fix, and the command says how many', async (t) => {
  const environment = bareEnvironment(await tempFolder(t));
  t.like(await checkCompiler(environment), { 0: { state: 'warn', found: 'none on PATH' } });
  const [, store] = await checkDisk({ ...environment, store: '/proc/understudy' });
  t.is(store?.state, 'fail');
  t.regex(store?.fix ?? '', /UNDERSTUDY_STORE/);
});

test('a GPU asked for but absent is a failure of both rows', async (t) => {
  const [tensorflow, gpu] = await checkTensorflow({ ...readEnvironment(), tensorflow: 'gpu' });
  if (tensorflow?.state === 'ok') t.regex(tensorflow.found, /on the gpu/);
  else {
    t.regex(tensorflow?.fix ?? '', /UNDERSTUDY_TF=gpu npx understudy bootstrap/);
    t.is(gpu?.state, 'fail');
  }
});

test('a port where something else answers is no Temporal server', async (t) => {
  const server = createServer((socket) => socket.end('not gRPC'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const [row] = await checkServer({ ...readEnvironment(), temporalAddress: `127.0.0.1:${port}` });
  t.like(row, { state: 'warn', found: `none answers at 127.0.0.1:${port}` });
});

test.serial('the doctor does not take an address for a folder', async (t) => {
  const before = process.env['UNDERSTUDY_STORE'];
  process.env['UNDERSTUDY_STORE'] = 's3://bucket/store';
  const io = { json: true, out() {}, err() {}, signal: new AbortController().signal };
  await t.throwsAsync(doctorCommand.run({}, io), {
    name: 'InvalidConfig',
    message: /UNDERSTUDY_STORE: .*s3:/,
  });
  if (before === undefined) delete process.env['UNDERSTUDY_STORE'];
  else process.env['UNDERSTUDY_STORE'] = before;
});

test.serial('failed checks are an error that carries the rows, for --json', async (t) => {
  const before = process.env['UNDERSTUDY_STORE'];
  process.env['UNDERSTUDY_STORE'] = '/proc/understudy';
  const io = { json: true, out() {}, err() {}, signal: new AbortController().signal };
  const error = await t.throwsAsync(doctorCommand.run({}, io), { name: 'NotReady' });
  if (before === undefined) delete process.env['UNDERSTUDY_STORE'];
  else process.env['UNDERSTUDY_STORE'] = before;
  t.regex(error?.message ?? '', /^1 of \d+ checks failed: store$/);
  t.true(error instanceof FailedOutcome && Array.isArray(error.result['checks']));
});
