import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import test from 'ava';
import { readEnvironment } from '../../infra/env.ts';

test('an empty environment gives the documented defaults', (t) => {
  const environment = readEnvironment({});
  t.is(environment.cache, join(homedir(), '.cache', 'understudy'));
  t.is(environment.store, resolve('.understudy/store'));
  t.is(environment.tensorflow, 'auto');
  t.is(environment.temporalAddress, 'localhost:7233');
  t.is(environment.temporalNamespace, 'default');
  t.is(environment.logLevel, 'info');
  t.is(environment.fault, undefined);
});

test('an empty variable counts as unset, and paths become absolute', (t) => {
  const environment = readEnvironment({
    UNDERSTUDY_CACHE: 'here',
    UNDERSTUDY_TF: '',
    UNDERSTUDY_STORE: 'there',
  });
  t.is(environment.cache, resolve('here'));
  t.is(environment.store, resolve('there'));
  t.is(environment.tensorflow, 'auto');
});

test('an address is no place for a store: it would become a folder `s3:` here', (t) => {
  for (const name of ['UNDERSTUDY_STORE', 'UNDERSTUDY_CACHE'])
    for (const address of ['s3://bucket/store', 'GS://bucket', 'file:///store'])
      t.throws(() => readEnvironment({ [name]: address }), {
        name: 'InvalidConfig',
        message: new RegExp(
          `${name}: expected a path of this machine, found the address "${address}": .* is not supported`,
        ),
      });
  t.is(readEnvironment({ UNDERSTUDY_STORE: 's3:/odd' }).store, resolve('s3:/odd'), 'a path all the same');
});

test('a bad value is refused by the name of its variable', (t) => {
  for (const [name, value] of [
    ['UNDERSTUDY_TF', 'cuda'],
    ['UNDERSTUDY_TEMPORAL_ADDRESS', 'http://localhost:7233'],
    ['UNDERSTUDY_TEMPORAL_DOWNLOAD', 'ftp://mirror'],
    ['UNDERSTUDY_LOG_LEVEL', 'loud'],
  ] as const)
    t.throws(() => readEnvironment({ [name]: value }), { name: 'InvalidConfig', message: new RegExp(name) });
});
