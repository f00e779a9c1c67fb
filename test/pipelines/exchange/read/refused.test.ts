import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { put, putParquet } from './layouts.ts';
import { file, malformed, refused } from './refused.ts';

const frame = (rows: string) => file('a.csv', `id,time,visit_codes,labels\n${rows}`);
const table =
  (columns: string, ...rows: string[]) =>
  (folder: string) =>
    putParquet(folder, 'a.parquet', columns, rows);

test(
  'no such path',
  refused,
  async (folder) => join(folder, 'none'),
  'SourceMissing',
  /^FOLDER\/none: there is nothing of that name$/,
);
test(
  'an empty folder',
  refused,
  async (folder) => {
    await mkdir(join(folder, 'empty'));
    return join(folder, 'empty');
  },
  'SourceMissing',
  /the folder is empty$/,
);
test('an empty file', refused, file('a.json', ''), malformed, /^a\.json is empty$/);
test(
  'a folder of something else lists what it holds and what there is',
  refused,
  async (folder) => join(await put(folder, 'x/notes.txt', 'SECRET'), '..'),
  malformed,
  /is a folder with notes\.txt, which is no layout that we know:\n {2}token-cohort: .*\n {2}json: .*\n {2}mimic-iii: .*\n {2}pyhealth: .*\n {2}long-form: .*\n {2}meds: /,
);
test(
  'a file of another kind',
  refused,
  file('a.xlsx', 'SECRET'),
  malformed,
  /a file named a\.xlsx, which is no layout/,
);
test(
  'a table with other columns',
  refused,
  file('a.csv', 'subject,code\nSECRET,1\n'),
  malformed,
  /a table with columns subject, code, which is no layout/,
);
test(
  'a table without a header does not show its first patient',
  refused,
  file('a.csv', '1,2\n3,4\n'),
  malformed,
  /a table with columns 2 that do not look like names/,
);
test(
  'Parquet that is none',
  refused,
  file('a.parquet', 'SECRET, not Parquet'),
  malformed,
  /^a\.parquet is not parquet: its first bytes are those of another format/,
);
test(
  'a ragged CSV',
  refused,
  frame('1,0,SECRET,0\n1,0\n'),
  malformed,
  /^a\.csv: 1 lines do not fit the header, first line 3: 2 fields where the header has 4\. Were files/,
);
test(
  'a MIMIC folder without ADMISSIONS',
  refused,
  async (folder) => {
    await put(folder, 'm/PATIENTS.csv', 'row_id,subject_id,gender,dob,dod\n');
    return join(await put(folder, 'm/DIAGNOSES_ICD.csv', 'row_id\n'), '..');
  },
  'SourceMissing',
  /has no ADMISSIONS/,
);

test(
  'a frame without an id',
  refused,
  frame('1,0,a,0\n,0,SECRET,0\n,0,SECRET,0\n'),
  malformed,
  /^a\.csv: column id is empty in 2 rows, first in row 2$/,
);
test(
  'a frame without a code',
  refused,
  frame('1,0,,0\n'),
  malformed,
  /column visit_codes is empty in 1 rows, first in row 1$/,
);
test(
  'a frame whose label is a count',
  refused,
  frame('1,0,a,3\n'),
  malformed,
  /column labels is neither 0 nor 1 in 1 rows/,
);
test(
  'a frame whose time is a word',
  refused,
  frame('1,SECRET,a,0\n1,1,a,0\n'),
  malformed,
  /column time holds neither numbers only nor times only/,
);
test(
  'a frame with lists of codes',
  refused,
  table('id, time, visit_codes, labels', "1, 0, ['SECRET'], 0"),
  malformed,
  /column visit_codes is of type VARCHAR\[\]; one code per row/,
);
test(
  'a frame with codes as fractions',
  refused,
  table('id, time, visit_codes, labels', '1, 0, 401.9::DOUBLE, 0'),
  malformed,
  /column visit_codes is of type DOUBLE; codes are text/,
);
test(
  'MEDS with times as text',
  refused,
  table('subject_id, time, code', "1, 'SECRET', 'ICD9CM//1'"),
  malformed,
  /column time is of type VARCHAR; expected timestamps/,
);
test(
  'MEDS of vital signs only',
  refused,
  table(
    'subject_id, time, code',
    "1, TIMESTAMP '2100-01-01', 'VITALS//BP//SECRET'",
    "1, TIMESTAMP '2100-01-01', 'a SECRET'",
  ),
  malformed,
  /no event is a diagnosis, procedure or drug that we know; found VITALS 1, others 1$/,
);
test(
  'a long table with a strange modality',
  refused,
  table('patient, visit, code, modality', "1, 0, 'a', 'SECRET'"),
  malformed,
  /column modality is none of dx, px, rx, lab in 1 rows, first in row 1$/,
);
test(
  'a long table with a code outside all visits',
  refused,
  table('patient, visit, code', "1, NULL::INTEGER, 'SECRET'"),
  malformed,
  /column visit is empty beside a code in 1 rows/,
);
test(
  'a long table with a label of 2',
  refused,
  file('a.csv', 'patient,visit,code,label:Gout\n1,0,a,2\n'),
  malformed,
  /column label:Gout is neither 0 nor 1 in 1 rows/,
);
test(
  'an artifact with a damaged file',
  refused,
  async (folder) => {
    for (const name of ['tokens.arrow', 'vocabulary.json']) await put(folder, `t/${name}`, '{}');
    return join(await put(folder, 't/token-cohort.json', '{}'), '..');
  },
  malformed,
  /is no whole token-cohort artifact/,
);
