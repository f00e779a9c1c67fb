import test from 'ava';
import { cohortHeader, readCohort, writeCohort } from '../../../pipelines/cohort/cohort-file.ts';
import type { Cohort } from '../../../pipelines/patients/cohort-columns.ts';
import { assembleRows } from './event-tables.ts';

const written = async (change: (cohort: Cohort) => Cohort = (cohort) => cohort) => {
  const files = new Map<string, Uint8Array>();
  const assembled = await assembleRows('demo', { split: { validation: 0.08, holdout: 0.2 } });
  const { splits, dropped } = assembled;
  const cohort = change(assembled.cohort);
  const write = async (file: string, content: string | Uint8Array) => {
    files.set(file, new Uint8Array(Buffer.from(content)));
  };
  const header = await writeCohort({ write }, cohort, splits, dropped);
  const bytes = async (file: string) => files.get(file) ?? new Uint8Array();
  const json = async (file: string): Promise<unknown> =>
    JSON.parse(Buffer.from(await bytes(file)).toString());
  return { cohort, header, files, artifact: { bytes, json } };
};

test('a cohort survives the round trip, as views on the bytes read', async (t) => {
  const { cohort, header, files, artifact } = await written();
  const read = await readCohort(artifact);
  t.deepEqual(read, cohort);
  t.is(read.codes.dx.indices.buffer, (files.get('cohort.arrow') as Uint8Array).buffer);
  t.deepEqual(cohortHeader.parse(await artifact.json('cohort.json')), header);
});

test('a source without lab tests, procedures or languages is read back like any other', async (t) => {
  const none = (visits: number) => ({ offsets: new Int32Array(visits + 1), indices: new Int32Array(0) });
  const { cohort, artifact } = await written((whole) => ({
    ...whole,
    codes: { ...whole.codes, lab: none(whole.hadmIds.length), px: none(whole.hadmIds.length) },
    labValues: new Float32Array(0),
    dictionary: { ...whole.dictionary, lab: [], px: [] },
    demographics: {
      ...whole.demographics,
      language: { kind: 'categorical', levels: [], values: new Int32Array(whole.subjectIds.length).fill(-1) },
    },
  }));
  t.deepEqual(await readCohort(artifact), cohort);
});

test('the same events give the same bytes', async (t) => {
  const [one, two] = [await written(), await written()];
  t.deepEqual(one.files, two.files);
});

test('the header counts and names no patient', async (t) => {
  const { header } = await written();
  t.like(header, { patients: 100, visits: 129, codes: { dx: { distinct: 581, occurrences: 1761 } } });
  t.is(header.splits['train'], 100 - Number(header.splits['validation']) - Number(header.splits['holdout']));
  t.deepEqual(header.labels[0], { name: 'Acute and unspecified renal failure', patients: 38, visits: 51 });
});

test('a damaged file is a corrupt artifact', async (t) => {
  const { artifact, files } = await written();
  const tokens = files.get('cohort.arrow') as Uint8Array;
  for (const length of [0, 7, 100, tokens.length - 500])
    await t.throwsAsync(readCohort({ ...artifact, bytes: async () => tokens.slice(0, length) }), {
      name: 'ArtifactCorrupt',
    });
});
