// Folders and files that are not what they should be.
import { mkdir, readdir, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { mimicFolder, smallTables } from '../../helpers/mimic-folder.ts';
import { refused } from './refused.ts';
import { runExtract } from './run-extract.ts';

const patients = smallTables['PATIENTS.csv'];
const labs = smallTables['LABEVENTS.csv'];
const missing = 'SourceMissing';
const malformed = 'SourceMalformed';

test(
  'a table is not there',
  refused,
  { 'LABEVENTS.csv': null, 'PROCEDURES_ICD.csv': null, 'LABEVENTS.xlsx': '' },
  missing,
  'FOLDER has no PROCEDURES_ICD, no LABEVENTS as .csv, .csv.gz or .parquet (layout mimic-iii). ' +
    'It holds: ADMISSIONS.csv, DIAGNOSES_ICD.csv, LABEVENTS.xlsx, PATIENTS.csv, PRESCRIPTIONS.csv',
);
test(
  'an empty folder',
  refused,
  async (folder: string) => {
    for (const name of await readdir(folder)) await unlink(join(folder, name));
  },
  missing,
  'FOLDER has no PATIENTS, no ADMISSIONS, no DIAGNOSES_ICD, no PROCEDURES_ICD, no PRESCRIPTIONS, no LABEVENTS as ' +
    '.csv, .csv.gz or .parquet (layout mimic-iii). It holds: nothing',
);
test('the folder is not there', async (t) => {
  await t.throwsAsync(runExtract(t, '/no/such/folder'), {
    name: missing,
    message: 'source /no/such/folder should be a folder with the tables, but there is nothing of that name',
  });
});
test('the folder is a file', async (t) => {
  const source = join(await mimicFolder(t), 'PATIENTS.csv');
  await t.throwsAsync(runExtract(t, source), {
    name: missing,
    message: `source ${source} should be a folder with the tables, but it is a file`,
  });
});
test(
  'a table is a folder',
  refused,
  async (folder: string) => {
    await unlink(join(folder, 'LABEVENTS.csv'));
    await mkdir(join(folder, 'LABEVENTS.csv'));
  },
  missing,
  'LABEVENTS.csv should be a file but is a folder',
);
test(
  'a table is a broken link',
  refused,
  async (folder: string) => {
    await unlink(join(folder, 'LABEVENTS.csv'));
    await symlink('/no/such/file', join(folder, 'LABEVENTS.csv'));
  },
  missing,
  'LABEVENTS.csv cannot be opened: is it a broken link?',
);
test(
  'a table is there twice',
  refused,
  { 'patients.csv.gz': gzipSync(patients) },
  malformed,
  'table PATIENTS is there 2 times: PATIENTS.csv, patients.csv.gz. Leave one',
);
test(
  'an empty file inside gzip',
  refused,
  { 'PATIENTS.csv': null, 'PATIENTS.csv.gz': gzipSync('') },
  malformed,
  'PATIENTS.csv.gz is empty: there is not even a header line',
);
test(
  'gzip that ends too early',
  refused,
  { 'LABEVENTS.csv': null, 'LABEVENTS.csv.gz': gzipSync(labs).subarray(0, -20) },
  malformed,
  'LABEVENTS.csv.gz ends in the middle of its gzip data. Copy it again',
);
test(
  'gzip with a wrong checksum',
  refused,
  { 'LABEVENTS.csv': null, 'LABEVENTS.csv.gz': gzipSync(labs).fill(0x55, gzipSync(labs).length - 8) },
  malformed,
  'LABEVENTS.csv.gz holds damaged gzip data. Copy it again',
);
test(
  'plain text named .csv.gz',
  refused,
  { 'LABEVENTS.csv': null, 'LABEVENTS.csv.gz': labs },
  malformed,
  'LABEVENTS.csv.gz is not csv.gz: its first bytes are those of another format. Is it plain .csv?',
);
test(
  'gzip named .csv',
  refused,
  { 'LABEVENTS.csv': gzipSync(labs) },
  malformed,
  'LABEVENTS.csv is gzip, not csv. Name it .csv.gz',
);
test(
  'a workbook named .csv',
  refused,
  { 'LABEVENTS.csv': 'PK\u0003\u0004...' },
  malformed,
  'LABEVENTS.csv is a zip archive or a workbook, not csv. Unpack it or export it as CSV',
);
test(
  'UTF-16',
  refused,
  { 'PATIENTS.csv': Buffer.from(`\uFEFF${patients}`, 'utf16le') },
  malformed,
  'PATIENTS.csv is UTF-16 text, not csv. Export it as UTF-8',
);
test(
  'UTF-16 without its mark, or any binary',
  refused,
  { 'PATIENTS.csv': Buffer.from(patients, 'utf16le') },
  malformed,
  'PATIENTS.csv: line 1 holds a NUL byte: the file is damaged or binary',
);
