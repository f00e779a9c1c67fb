import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { assemble } from '../../activities/assemble.ts';
import { extract } from '../../activities/extract.ts';
import { runStage } from '../../activities/stage-runner.ts';
import { tokenize } from '../../activities/tokenize.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import { readCohort } from '../../pipelines/cohort/cohort-file.ts';
import { patientsIn } from '../../pipelines/patients/visit-columns.ts';
import { readTokenCohort } from '../../pipelines/tokens/token-cohort-file.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { stages } from '../../schemas/stages/index.ts';
import type { Store } from '../../schemas/store.ts';
import { localHost } from '../helpers/local-host.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const source = fileURLToPath(new URL('../fixtures/mimic3-demo/', import.meta.url));
const engine = 'test';

const extracted = (store: Store) =>
  runStage(
    stages.extract,
    extract,
    { node: 'extract', params: { source }, inputs: {} },
    { store, engine },
    localHost(),
  );
const assembled = (store: Store, events: ArtifactRef, host = localHost()) =>
  runStage(
    stages.assemble,
    assemble,
    { node: 'assemble', params: {}, inputs: { events } },
    { store, engine },
    host,
  );
const tokenized = (store: Store, cohort: ArtifactRef, params = {}) =>
  runStage(
    stages.tokenize,
    tokenize,
    { node: 'tokenize', params, inputs: { cohort } },
    { store, engine },
    localHost(),
  );

const demoTokens = async (t: ExecutionContext) => {
  const store = createFileStore(await tempFolder(t));
  const events = await extracted(store);
  const cohort = await assembled(store, events.ref);
  return { store, cohort, tokens: await tokenized(store, cohort.ref) };
};

test('the demo goes from tables to tokens, twice to the same digests', async (t) => {
  const { store, cohort, tokens } = await demoTokens(t);
  const again = await demoTokens(t);
  t.deepEqual(again.tokens.ref, tokens.ref);
  t.like(cohort.summary, { patients: 100, visits: 129, dxCodes: 581, patientsLeftOut: 0 });
  const read = await readTokenCohort(await store.open(tokens.ref));
  t.is(read.visitOffsets.length - 1, 100);
  t.is(patientsIn(read, 0).length, Number(cohort.summary['train']));
  t.is(tokens.summary['codes'], read.codes.length);
  t.truthy(read.vocabulary.codes.find(({ code }) => code === '4019')?.title);
});

test('source identifiers stay in the cohort', async (t) => {
  const { store, cohort, tokens } = await demoTokens(t);
  const { subjectIds } = await readCohort(await store.open(cohort.ref));
  t.true(subjectIds.includes(10006));
  const read = await readTokenCohort(await store.open(tokens.ref));
  const values = [...Object.keys(read.demographics ?? {}), JSON.stringify(read.vocabulary.labels)].join();
  t.notRegex(values, /subject|hadm/);
});

test('other token settings re-use the cohort and say what was lost', async (t) => {
  const { store, cohort } = await demoTokens(t);
  const rare = await tokenized(store, cohort.ref, { modalities: ['dx'], minCount: 5, order: 'random' });
  t.false(rare.cached);
  t.true(Number(rare.summary['unknownCodes']) > 0);
  t.true(Number(rare.summary['vocabulary']) < 581);
  t.true((await assembled(store, (await extracted(store)).ref)).cached);
});

test('an assembly that is stopped leaves nothing behind and can be done again', async (t) => {
  const folder = await tempFolder(t);
  const store = createFileStore(folder);
  const { ref } = await extracted(store);
  for (const stopAfter of [1, 4, 12])
    await t.throwsAsync(assembled(store, ref, localHost({ stopAfter })), { message: 'machine lost' });
  t.deepEqual(await readdir(join(folder, 'temp')), []);
  t.false((await assembled(store, ref)).cached);
});
