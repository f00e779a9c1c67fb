// The sixteen quirks that break naive readers of these files; docs/sources.md says what is done about each.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import type { Extraction } from '../../../schemas/extraction.ts';
import { demoFolder, demoTable, mimicFolder, smallTables } from '../../helpers/mimic-folder.ts';
import { query, rejectsOf, runExtract } from './run-extract.ts';

const test = anyTest as TestFn<{ demo: { folder: string; tables: Extraction['tables'] } }>;
const shared = await mkdtemp(join(tmpdir(), 'understudy-'));
const demo = await runExtract({ teardown: () => undefined }, demoFolder, shared);

test.after.always(() => rm(shared, { recursive: true, force: true }));

/** The one row, as an array, of what is selected from the demo. */
const values = async (t: Parameters<typeof query>[0], select: string): Promise<unknown[]> => {
  const [row = {}] = await query<Record<string, unknown>>(t, demo.folder, `SELECT ${select}`);
  return Object.values(row);
};
const notesOf = (table: string) => demo.tables[table]?.notes ?? {};

test('1: header case does not matter; MIMIC-IV columns are named as missing', async (t) => {
  const upper = smallTables['PATIENTS.csv'].replace(
    /^.*$/m,
    (header) => `"${header.toUpperCase().replaceAll(',', '","')}"`,
  );
  t.is((await runExtract(t, await mimicFolder(t, { 'PATIENTS.csv': upper }))).summary['patients'], 3);
  const mimicIv =
    'subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod\n10,F,40,2140,2011 - 2013,\n';
  await t.throwsAsync(async () => runExtract(t, await mimicFolder(t, { 'PATIENTS.csv': mimicIv })), {
    name: 'SourceMalformed',
    message:
      'PATIENTS.csv has no column dob. It has: subject_id, gender, anchor_age, anchor_year, anchor_year_group, dod',
  });
});

test('2: codes keep leading zeros; V and E codes stay', async (t) => {
  const lengths = "count(*) FILTER (code LIKE '0%'), min(length(code)), max(length(code))";
  t.deepEqual(await values(t, `${lengths} FROM {diagnoses}`), [71, 3, 5]);
  t.deepEqual(await values(t, `${lengths} FROM {procedures}`), [34, 3, 4]);
  t.deepEqual(
    await values(t, "count(*) FILTER (code LIKE 'V%'), count(*) FILTER (code LIKE 'E%') FROM {diagnoses}"),
    [153, 47],
  );
});

test('3: diagnoses and procedures that share a string stay apart', async (t) => {
  t.deepEqual(
    await values(t, 'count(DISTINCT code) FROM {diagnoses} SEMI JOIN {procedures} AS px USING (code)'),
    [5],
  );
});

test('4: codes that the dictionary lacks are kept and noted', async (t) => {
  t.deepEqual(
    await values(t, 'count(DISTINCT code) FROM {diagnoses} ANTI JOIN {diagnosis_titles} AS d USING (code)'),
    [20],
  );
  t.deepEqual(
    await values(t, 'count(DISTINCT code) FROM {procedures} ANTI JOIN {procedure_titles} AS d USING (code)'),
    [3],
  );
  t.is(notesOf('DIAGNOSES_ICD')['untitled-code'], 45);
  t.is(notesOf('PROCEDURES_ICD')['untitled-code'], 3);
});

test('5: repeated rows are kept and noted', async (t) => {
  const groups = (table: string, key: string) =>
    values(
      t,
      `count(*), sum(n - 1) FROM (SELECT count(*) AS n FROM {${table}} GROUP BY ${key} HAVING n > 1)`,
    );
  t.deepEqual(await groups('procedures', 'hadm_id, code'), [18, 20]);
  t.deepEqual((await groups('diagnoses', 'hadm_id, code'))[0], 0);
  t.deepEqual(await groups('labs', 'subject_id, item_id, time'), [7, 7]);
  t.is(notesOf('PROCEDURES_ICD')['repeated-row'], 20);
  t.is(notesOf('DIAGNOSES_ICD')['repeated-row'], undefined);
  t.is(notesOf('LABEVENTS')['repeated-row'], 7);
  const [, rows] = await groups('prescriptions', 'hadm_id, start_time, drug');
  t.is(notesOf('PRESCRIPTIONS')['repeated-row'], Number(rows));
});

test('6: admissions without procedures or prescriptions stay', async (t) => {
  const without = (table: string) =>
    values(t, `count(*) FROM {admissions} ANTI JOIN {${table}} AS e USING (hadm_id)`);
  t.deepEqual(await without('procedures'), [16]);
  t.deepEqual(await without('prescriptions'), [7]);
  t.deepEqual(await without('diagnoses'), [0]);
  t.deepEqual(await without('labs'), [0]);
});

test('7: laboratory rows without admission, number or value stay; blank units are none', async (t) => {
  t.deepEqual(
    await values(
      t,
      `count(*) FILTER (hadm_id IS NULL), count(*) FILTER (number IS NULL), count(*) FILTER (value IS NULL),
       count(*) FILTER (trim(unit) = ''), count(*) FILTER (value LIKE '%,%') FROM {labs}`,
    ),
    [14262, 9044, 4, 0, 9],
  );
  const text = "value IN ('NEG', '1+', '<0.01', '0-2', 'GREATER THAN 30')";
  t.deepEqual(await values(t, `count(DISTINCT value) FROM {labs} WHERE ${text} AND number IS NULL`), [5]);
  t.deepEqual(
    await values(t, 'count(*) FROM (SELECT item_id FROM {labs} GROUP BY 1 HAVING count(DISTINCT unit) > 1)'),
    [14],
  );
  const unitless = (await demoTable('LABEVENTS')).match(/,( ?),[^,\n]*$/gm) ?? [];
  t.deepEqual(await values(t, 'count(*) FROM {labs} WHERE unit IS NULL'), [unitless.length]);
  t.is(unitless.filter((end) => end.startsWith(', ,')).length, 301);
  t.like(notesOf('LABEVENTS'), { 'no-admission': 14262, 'no-number': 9044, 'outside-admission': 5365 });
});

test('8: drug spellings fall together, placeholders of ndc go, doses stay text, odd ends are noted', async (t) => {
  t.deepEqual(
    await values(
      t,
      `count(DISTINCT drug), count(*) FILTER (drug_type = 'MAIN'), count(*) FILTER (drug_type = 'BASE'),
       count(*) FILTER (drug_type = 'ADDITIVE'), count(*) FILTER (ndc IS NULL),
       count(*) FILTER (ndc LIKE '0%' AND length(ndc) = 11), count(*) FILTER (dose IN ('1-2', '325-650')) > 0,
       count(*) FILTER (TRY_CAST(replace(dose, ',', '') AS DOUBLE) IS NULL AND dose IS NOT NULL),
       count(*) FILTER (start_time <> date_trunc('day', start_time)) FROM {prescriptions}`,
    ),
    // 592 spellings, 571 in lower case, 570 with single blanks
    [570, 7709, 2617, 72, 1478, 6640, true, 585, 0],
  );
  t.like(notesOf('PRESCRIPTIONS'), { 'ends-before-start': 39, 'no-ndc': 1478 });
});

test('9: births shifted by three centuries are kept and noted', async (t) => {
  t.is(notesOf('ADMISSIONS')['shifted-birth'], 9);
  t.deepEqual(
    await values(
      t,
      `count(*), min(date_diff('year', birth_time, admit_time)) > 290
       FROM {admissions} AS a JOIN {patients} AS p USING (subject_id) WHERE date_diff('year', birth_time, admit_time) > 150`,
    ),
    [9, true],
  );
});

test('10: dates of the 22nd century are read as they are; two-digit years are refused', async (t) => {
  t.deepEqual(
    await values(t, 'min(year(admit_time)), max(year(admit_time)) FROM {admissions}'),
    [2102, 2202],
  );
  const resaved = smallTables['ADMISSIONS.csv'].replaceAll(/\b\d\d(\d\d-\d\d-\d\d)/g, '$1');
  await t.throwsAsync(async () => runExtract(t, await mimicFolder(t, { 'ADMISSIONS.csv': resaved })), {
    name: 'SourceMalformed',
    message:
      'ADMISSIONS.csv: all 4 rows were rejected, 4 because column admittime is not a timestamp ' +
      '(first on line 2); expected YYYY-MM-DD HH:MM:SS, found the form 99-99-99 99:99:99',
  });
});

test('11: commas, doubled quotes and blanks around text', async (t) => {
  t.deepEqual(
    await values(
      t,
      `count(*) FILTER (title LIKE '%,%'), count(*) FILTER (title LIKE '%"%'), count(*) FILTER (title <> trim(title))
       FROM {diagnosis_titles}`,
    ),
    // 6,225 with the short titles, which are not taken
    [6117, 33, 0],
  );
});

test('12: a required table with a header only is an empty table, unless nothing can follow from it', async (t) => {
  const header = smallTables['LABEVENTS.csv'].split('\n', 1)[0] ?? '';
  const { folder, tables } = await runExtract(t, await mimicFolder(t, { 'LABEVENTS.csv': header }));
  t.deepEqual(await query(t, folder, 'SELECT count(*) AS n FROM {labs}'), [{ n: 0 }]);
  t.like(tables['LABEVENTS'], { read: 0, kept: 0 });
  t.deepEqual(await rejectsOf(t, folder), []);
});

test('13: in-hospital deaths, the patient with fifteen admissions and the one without chart data are all there', async (t) => {
  t.deepEqual(
    await values(
      t,
      `count(*) FILTER (died_in_hospital), count(*) FILTER (admission_type = 'NEWBORN'),
       (SELECT max(n) FROM (SELECT count(*) AS n FROM {admissions} GROUP BY subject_id)) FROM {admissions}`,
    ),
    [40, 0, 15],
  );
  t.deepEqual(await values(t, 'count(*) FROM {patients} WHERE death_time IS NULL'), [0]);
});

// 14 (mixed ICD versions, `?` as language) is about MIMIC-IV and 15 (offsets, ages as text) about eICU: layouts that
// are refused by name (test 1) until they have a layout of their own. 16 is about another language's DuckDB client.
test('14 to 16: tables of another layout are refused, not misread', async (t) => {
  const icd10 = 'subject_id,hadm_id,seq_num,icd_code,icd_version\n10,100,1,J960,10\n';
  await t.throwsAsync(async () => runExtract(t, await mimicFolder(t, { 'DIAGNOSES_ICD.csv': icd10 })), {
    name: 'SourceMalformed',
    message:
      'DIAGNOSES_ICD.csv has no column icd9_code. It has: subject_id, hadm_id, seq_num, icd_code, icd_version',
  });
});
