import test from 'ava';
import { z } from 'zod';
import type { Generator } from '../../../pipelines/generation/generator.ts';
import { type Asked, sampleRequests } from '../../../pipelines/generation/sample-requests.ts';
import { type TokenCohort, VisitColumnsBuilder } from '../../../pipelines/patients/visit-columns.ts';

const builder = new VisitColumnsBuilder();
for (const code of [0, 1, 0]) builder.addPatient([[code]], [1, 0]);
const cohort: TokenCohort = {
  ...builder.build(),
  vocabulary: { codes: ['a', 'b'].map((code) => ({ modality: 'dx', code })), labels: ['asthma', 'sepsis'] },
  demographics: {
    age: { kind: 'numeric', values: Float32Array.of(50, 60, 70) },
    sex: { kind: 'categorical', levels: ['F', 'M'], values: Int32Array.of(0, 1, 0) },
  },
};
const never = () => Promise.reject(new Error('not asked for'));
const plain: Generator = {
  name: 'plain',
  title: '',
  paper: '',
  version: 1,
  config: z.strictObject({}),
  capabilities: ['labels'],
  fit: never,
  open: never,
};
const able: Generator = {
  ...plain,
  name: 'able',
  sampling: z.strictObject({ temperature: z.number().positive().default(1) }),
  capabilities: ['labels', 'demographics', 'seeds'],
};
const asked: Asked = { seed: 3, seedMode: 'cold', labels: {}, demographics: {}, sampling: {} };
const requests = (generator: Generator, changes: Partial<Asked>) =>
  sampleRequests(generator, { ...asked, ...changes }, cohort, cohort);

test('nothing asked, nothing in the request', (t) => {
  t.deepEqual(requests(plain, {})(7, 2), { first: 7, count: 2, seed: 3 });
  t.deepEqual(requests(able, {})(7, 2), { first: 7, count: 2, seed: 3, sampling: { temperature: 1 } });
});

test('labels asked for, the others left to the model', (t) => {
  t.deepEqual(requests(plain, { labels: { sepsis: 1 } })(0, 2).labels, Uint8Array.of(255, 1, 255, 1));
  t.deepEqual(requests(plain, { labels: { sepsis: 1, asthma: 0 } })(5, 1).labels, Uint8Array.of(0, 1));
});

test('demographics asked for', (t) => {
  t.deepEqual(requests(able, { demographics: { sex: 'M', age: 41.5 } })(0, 2).demographics, {
    sex: { kind: 'categorical', levels: ['F', 'M'], values: Int32Array.of(1, 1) },
    age: { kind: 'numeric', values: Float32Array.of(41.5, 41.5) },
  });
});

test('warm: every patient has the training patient of the same index, counted around', (t) => {
  const seeds = requests(able, { seedMode: 'warm' })(2, 4).seeds;
  t.deepEqual(seeds?.codes, Int32Array.of(0, 0, 1, 0));
  t.deepEqual(seeds?.demographics?.['age']?.values, Float32Array.of(70, 50, 60, 70));
});

const refused = test.macro((t, generator: Generator, changes: Partial<Asked>, message: RegExp) => {
  t.throws(() => requests(generator, changes), { name: 'InvalidConfig', message });
});
test(
  'a label that does not exist',
  refused,
  plain,
  { labels: { flu: 1 } },
  /no label "flu" \(there are: asthma, sepsis\)/,
);
test(
  'a fact that does not exist',
  refused,
  able,
  { demographics: { height: 2 } },
  /\.height: .*there are: age, sex/,
);
test(
  'a level that no patient has',
  refused,
  able,
  { demographics: { sex: 'X' } },
  /\.sex: .*"X" \(there are: F, M\)/,
);
test('a word for a number', refused, able, { demographics: { age: 'old' } }, /\.age: expected a number/);
test(
  'facts of a generator that knows none',
  refused,
  plain,
  { demographics: { sex: 'F' } },
  /plain knows no demog/,
);
test(
  'labels of a generator that has none',
  refused,
  { ...plain, capabilities: [] },
  { labels: { sepsis: 1 } },
  /^generate\.labels\.sepsis: plain cannot be asked for labels/,
);
test(
  'seeds for a generator that takes none',
  refused,
  plain,
  { seedMode: 'warm' },
  /seedMode: plain cannot build/,
);
test(
  'settings where there are none',
  refused,
  plain,
  { sampling: { temperature: 2 } },
  /plain: sampling\.temperature: .* no settings/,
);
test(
  'a wrong setting',
  refused,
  able,
  { sampling: { temperature: -1 } },
  /able: sampling\.temperature: expected a number > 0/,
);

test(
  'seeds whose facts are asked for',
  refused,
  able,
  { seedMode: 'warm', labels: { sepsis: 1 } },
  /takes labels and demographics from the real patients/,
);

test('warm needs patients to build around', (t) => {
  const none = new VisitColumnsBuilder().build();
  t.throws(() => sampleRequests(able, { ...asked, seedMode: 'warm' }, cohort, none), {
    name: 'TooFewPatients',
  });
});
