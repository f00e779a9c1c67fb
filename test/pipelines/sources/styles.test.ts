import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { extract } from '../../../activities/extract.ts';
import { eventTables } from '../../../schemas/events.ts';
import {
  demoFolder,
  demoInFullStyle,
  demoInParquet,
  mimicFolder,
  smallTables,
} from '../../helpers/mimic-folder.ts';
import { digestsOf, query, rejectsOf, runExtract } from './run-extract.ts';

const rowCounts = {
  PATIENTS: 100,
  ADMISSIONS: 129,
  DIAGNOSES_ICD: 1761,
  PROCEDURES_ICD: 506,
  PRESCRIPTIONS: 10398,
  LABEVENTS: 76074,
  D_LABITEMS: 753,
  D_ICD_DIAGNOSES: 14567,
  D_ICD_PROCEDURES: 3882,
  ICUSTAYS: 136,
};

test('the demo: every row is read and kept, and the artifact holds its tables and nothing else', async (t) => {
  const { folder, tables, beats, summary } = await runExtract(t, demoFolder);
  t.deepEqual(Object.fromEntries(Object.entries(tables).map(([name, { kept }]) => [name, kept])), {
    ...Object.fromEntries(Object.keys(tables).map((name) => [name, 0])),
    ...rowCounts,
  });
  t.true(Object.values(tables).every(({ read, kept }) => read === kept));
  t.deepEqual(await rejectsOf(t, folder), []);
  const files = [...Object.keys(eventTables).map((name) => `${name}.parquet`), 'extraction.json'];
  t.deepEqual((await readdir(folder)).sort(), files.sort());
  t.deepEqual(
    [...new Set(beats.map(({ phase }) => phase))].filter((phase) => phase !== 'rejects').sort(),
    Object.keys(rowCounts).sort(),
  );
  t.is(summary['labs'], 76074);
  t.is(summary['rejected'], 0);
});

test('columns have the names and types of the contract, and rows the order of the source', async (t) => {
  const { folder } = await runExtract(t, demoFolder);
  for (const [table, columns] of Object.entries(eventTables)) {
    const found = await query<{ column_name: string; column_type: string }>(
      t,
      folder,
      `DESCRIBE SELECT * FROM {${table}}`,
    );
    t.deepEqual(Object.fromEntries(found.map((row) => [row.column_name, row.column_type])), { ...columns });
  }
  const first = await query<{ code: string }>(t, folder, 'SELECT code FROM {diagnoses} LIMIT 3');
  t.deepEqual(
    first.map(({ code }) => code),
    ['99591', '99662', '5672'],
  );
});

test('the same rows in either header style, as CSV or Parquet, and run again: byte-identical tables', async (t) => {
  const expected = await digestsOf((await runExtract(t, demoFolder)).folder);
  t.deepEqual(await digestsOf((await runExtract(t, demoFolder)).folder), expected, 'again');
  t.deepEqual(
    await digestsOf((await runExtract(t, await demoInFullStyle(t))).folder),
    expected,
    'full style',
  );
  t.deepEqual(await digestsOf((await runExtract(t, await demoInParquet(t))).folder), expected, 'Parquet');
});

const plain = async (t: Parameters<typeof mimicFolder>[0]) =>
  digestsOf((await runExtract(t, await mimicFolder(t))).folder);
const changed = (change: (text: string) => string) =>
  Object.fromEntries(Object.entries(smallTables).map(([name, text]) => [name, change(text)]));

test('byte-order marks, CR LF, blank lines, a missing last line break and padded headers make no difference', async (t) => {
  const expected = await plain(t);
  const dressings: Record<string, (text: string) => string> = {
    mark: (text) => `\uFEFF${text}`,
    crlf: (text) => text.replaceAll('\n', '\r\n'),
    blankLines: (text) => `\n${text.replaceAll('\n', '\n\n  \n')}`,
    cut: (text) => text.trimEnd(),
    padded: (text) => text.replaceAll(',', ' , '),
    quoted: (text) => text.replaceAll(/[^,\n]+/g, '"$&"'),
  };
  for (const [name, dress] of Object.entries(dressings)) {
    const { folder } = await runExtract(t, await mimicFolder(t, changed(dress)));
    t.deepEqual(await digestsOf(folder), expected, name);
  }
});

test('columns in another order and unknown columns make no difference', async (t) => {
  const expected = await plain(t);
  const turned = changed((text) =>
    text.replaceAll(/^.+$/gm, (line) => `${line.split(',').reverse().join(',')},"x, ""y"" é"`),
  );
  for (const [name, text] of Object.entries(turned)) turned[name] = text.replace(/,"x.*/, ',extra');
  t.deepEqual(await digestsOf((await runExtract(t, await mimicFolder(t, turned))).folder), expected);
});

test('optional tables that are absent are written empty', async (t) => {
  const { folder, tables } = await runExtract(t, await mimicFolder(t));
  for (const table of ['icu_stays', 'diagnosis_titles', 'procedure_titles', 'lab_items'])
    t.deepEqual(await query(t, folder, `SELECT count(*) AS n FROM {${table}}`), [{ n: 0 }]);
  t.is(tables['ICUSTAYS']?.file, null);
});

test('the fingerprint follows names and contents of the files that are read, and nothing else', async (t) => {
  const folder = await mimicFolder(t);
  const of = (source: string) => extract.fingerprint?.({ source, layout: 'mimic-iii' });
  const before = await of(folder);
  t.regex(before ?? '', /^[0-9a-f]{64}$/);
  await writeFile(join(folder, 'CHARTEVENTS.csv'), 'not read');
  t.is(await of(folder), before);
  t.is(await of(await mimicFolder(t)), before);
  await writeFile(join(folder, 'ICUSTAYS.csv'), 'row_id,subject_id,hadm_id,icustay_id,intime,outtime\n');
  const withStays = await of(folder);
  t.not(withStays, before);
  await writeFile(join(folder, 'LABEVENTS.csv'), smallTables['LABEVENTS.csv'].replace('27.5', '27.6'));
  t.not(await of(folder), withStays);
  await rm(join(folder, 'LABEVENTS.csv'));
  await t.throwsAsync(async () => of(folder), { name: 'SourceMissing' });
});
