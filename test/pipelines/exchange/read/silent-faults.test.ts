/** Inputs that were once read wrong without an error: each is refused with its reason, or read right. */
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { patientCount, visitCount } from '../../../../pipelines/patients/visit-columns.ts';
import { tempFolder } from '../../../helpers/temp-folder.ts';
import { put, putParquet, read } from './layouts.ts';
import { file, malformed, refused } from './refused.ts';

const header = 'id,time,visit_codes\n';
const frame = (rows: string) => file('a.csv', header + rows);
const table =
  (columns: string, ...rows: string[]) =>
  (folder: string) =>
    putParquet(folder, 'a.parquet', columns, rows);

test(
  'two CSV files of other widths joined: the line where it changes',
  refused,
  frame('1,0,a\n2,0,b\nid,time,visit_codes,labels\n3,0,SECRET,1\n'),
  malformed,
  /^a\.csv: 2 lines do not fit the header, first line 4: 4 fields where the header has 3\. Were files/,
);
test(
  'two CSV files of one width joined: the second header is no patient',
  refused,
  frame(`1,0,a\n${header}2,0,SECRET\n`),
  malformed,
  /^a\.csv: line 3 repeats the header/,
);
test(
  'semicolons',
  refused,
  file('a.csv', 'id;time;visit_codes\n1;0;SECRET\n'),
  malformed,
  /^a\.csv is separated by semicolons; expected commas/,
);
test(
  'two columns of one name',
  refused,
  file('a.csv', 'id,time,visit_codes,Time\n1,0,SECRET,3\n'),
  malformed,
  /^a\.csv has more than one column time/,
);
test(
  'a word for an empty code',
  refused,
  frame('1,0,nan\n1,0,SECRET\n'),
  malformed,
  /visit_codes is empty in 1 rows/,
);
test('NaN as a time', refused, frame('1,nan,SECRET\n1,0,b\n'), malformed, /column time is empty in 1 rows/);
test(
  'NaN as a time, in Parquet',
  refused,
  table('id, time, visit_codes', "1, 'NaN'::DOUBLE, 'SECRET'", "1, 2.0, 'b'"),
  malformed,
  /column time is (empty|not a finite number) in 1 rows, first in row 1$/,
);
test(
  'infinity as a time',
  refused,
  table('id, time, visit_codes', "1, 'inf'::DOUBLE, 'SECRET'"),
  malformed,
  /column time is not a finite number in 1 rows, first in row 1$/,
);
test(
  'a label of 0.4',
  refused,
  file('a.csv', 'patient,visit,code,label:Gout\n1,0,SECRET,1\n1,0,b,0.4\n'),
  malformed,
  /column label:Gout is neither 0 nor 1 in 1 rows, first in row 2$/,
);
for (const visit of ['0.6', '-1', '1.4'])
  test(
    `a visit of ${visit}`,
    refused,
    file('a.csv', `patient,visit,code\n1,0,SECRET\n1,${visit},b\n`),
    malformed,
    /column visit is not a whole number \(0, 1, …\) in 1 rows, first in row 2$/,
  );
test(
  'a word for an empty code in a long table',
  refused,
  file('a.csv', 'patient,visit,code\n1,0,None\n1,0,SECRET\n'),
  malformed,
  /column code is an empty text, or a word for one \(NaN, None\) in 1 rows/,
);
test(
  'a word for an empty code in JSON',
  refused,
  file('a.json', '[{"visits": [["SECRET", "nan"]]}]'),
  malformed,
  /^a\.json: patient 0, visit 0: a code is a word for an empty cell/,
);
const nul = "'SECRET' || chr(0) || 'x'";
test(
  'a NUL in a code: MEDS',
  refused,
  table('subject_id, time, code', `1, TIMESTAMP '2100-01-01', 'ICD9CM//1' || chr(0) || 'SECRET'`),
  malformed,
  /column code holds a control character \(NUL, tab, line break\) in 1 rows, first in row 1$/,
);
test(
  'a NUL in a code: PyHealth',
  refused,
  table('id, time, visit_codes', `1, 0, ${nul}`),
  malformed,
  /visit_codes holds a control character/,
);
test(
  'a NUL in a code: long table',
  refused,
  table('patient, visit, code', `1, 0, ${nul}`),
  malformed,
  /code holds a control character/,
);
test(
  'a NUL in a code: JSON',
  refused,
  file('a.json', String.raw`[{"visits": [["SECRET\u0000"]]}]`),
  malformed,
  /patient 0, visit 0: a code holds a control character/,
);
test(
  'a web page',
  refused,
  file('a.csv', '<!DOCTYPE html>\nSECRET\n'),
  malformed,
  /^a\.csv is a web page or XML, not csv/,
);
test(
  'a pointer of Git LFS',
  refused,
  file('a.parquet', 'version https://git-lfs.github.com/spec/v1\n'),
  malformed,
  /^a\.parquet is a pointer of Git LFS, not parquet\. Fetch the file itself/,
);

const day = (n: number) => `TIMESTAMP '2100-01-0${n}'`;
const event = (subject: number, code: string, stay: number | null = subject, n = 1) =>
  `${subject}, ${day(n)}, '${code}', ${stay ?? 'NULL::INTEGER'}`;
const medsColumns = 'subject_id, time, code, hadm_id';
const ids = [1, 2, 3, 4];

/** A MEDS dataset with a shard per entry of `shards`, and splits where given. */
const meds = async (
  folder: string,
  shards: Record<string, readonly string[]>,
  splits?: readonly string[],
) => {
  for (const [path, rows] of Object.entries(shards))
    await putParquet(folder, `m/data/${path}.parquet`, medsColumns, rows);
  if (splits) await putParquet(folder, 'm/metadata/subject_splits.parquet', 'subject_id, split', splits);
  return join(folder, 'm');
};
const events = ids.map((id) => event(id, `ICD9CM//${id}`));

test(
  'MEDS: a subject without a split',
  refused,
  (folder) => meds(folder, { 'train/0': events }, ["1, 'train'", "2, 'tuning'", "3, 'held_out'"]),
  malformed,
  /^m: metadata\/subject_splits\.parquet gives no split for 1 of the patients/,
);
test(
  'MEDS: a subject in two splits',
  refused,
  (folder) => meds(folder, { 'train/0': events }, [...ids.map((id) => `${id}, 'train'`), "4, 'held_out'"]),
  malformed,
  /gives more than one split for 1 patients/,
);
test(
  'MEDS: splits of other names',
  refused,
  (folder) =>
    meds(
      folder,
      { 'train/0': events },
      ids.map((id) => `${id}, '${id > 2 ? 'test' : 'train'}'`),
    ),
  malformed,
  /names the splits test; MEDS has train, tuning, held_out\. Rename them/,
);
test(
  'MEDS: a subject in the folders of two splits',
  refused,
  (folder) => meds(folder, { 'train/0': events, 'held_out/0': [event(4, 'ICD9CM//5')] }),
  malformed,
  /the folders of data gives more than one split for 1 patients/,
);
const splitOf = async (t: ExecutionContext, shards: Record<string, readonly string[]>, splits?: string[]) => {
  const folder = await tempFolder(t);
  const { cohort } = await read(folder, await meds(folder, shards, splits));
  return cohort.split && [...cohort.split];
};
test('MEDS: splits in capitals, and those of folders without metadata, are splits', async (t) => {
  const named = ["1, 'Train'", "2, 'TUNING'", "3, 'held_out '", "4, 'train'"];
  t.deepEqual(await splitOf(t, { '0': events }, named), [0, 1, 2, 0]);
  const [a = '', b = '', c = '', d = ''] = events;
  const folders = { 'train/0': [a, d], 'tuning/0': [b], 'held_out/0': [c] };
  t.deepEqual(await splitOf(t, folders), [0, 1, 2, 0]);
  t.deepEqual(
    await splitOf(
      t,
      folders,
      ids.map((id) => `${id}, 'held_out'`),
    ),
    [2, 2, 2, 2],
    'metadata decides',
  );
  t.is(await splitOf(t, { 'train/0': events }), undefined, 'one folder alone divides nothing');
});
test(
  'MEDS: a shard without a needed column',
  refused,
  async (folder) => {
    await putParquet(folder, 'm/data/1.parquet', 'subject_id, code', ["5, 'ICD9CM//SECRET'"]);
    return meds(folder, { '0': events });
  },
  malformed,
  /^data\/1\.parquet has no column time, which the other files have$/,
);
test(
  'MEDS: codes as text in one shard and as numbers in another',
  refused,
  async (folder) => {
    await putParquet(folder, 'm/data/1.parquet', 'subject_id, time, code', [`5, ${day(1)}, 401`]);
    return meds(folder, { '0': events });
  },
  malformed,
  /^column code is text in one of data\/0\.parquet and data\/1\.parquet, and a number in the other/,
);
test(
  'MEDS: patients without visit ids beside patients with them',
  refused,
  (folder) => meds(folder, { '0': events, '1': [event(5, 'ICD9CM//5', null), event(6, 'ICD9CM//6', null)] }),
  malformed,
  /^m: 2 of 6 patients have no event with a hadm_id, and would be left out/,
);
test('MEDS: single events without a visit are counted', async (t) => {
  const folder = await tempFolder(t);
  const stray = Array.from({ length: 12 }, () => event(1, 'ICD9CM//9', null, 7));
  const { cohort } = await read(folder, await meds(folder, { '0': [...events, ...stray] }));
  t.is(patientCount(cohort), 4);
  t.true(cohort.notes.some((note) => /^left out for want of a visit: 12 events, and 0 patients/.test(note)));
});
test('MEDS: codes are trimmed, and ICD codes in capitals without a dot', async (t) => {
  const folder = await tempFolder(t);
  const spelled = ['DIAGNOSIS//ICD//9//V3000', 'DIAGNOSIS//ICD//9//v30.00  ', ' ICD9CM//V30.00'];
  const { cohort } = await read(
    folder,
    await meds(folder, { '0': spelled.map((code, i) => event(i + 1, code)) }),
  );
  t.deepEqual(
    cohort.vocabulary.codes.map(({ code }) => code),
    ['V3000'],
  );
});

test('a path is a path and no pattern: brackets, stars, question marks', async (t) => {
  const folder = await tempFolder(t);
  const [brackets, neighbour, star] = ['c[1].csv', 'c1.csv', 'run*?.csv'];
  await put(folder, `s[1]/${brackets}`, `${header}1,0,a\n`);
  await put(folder, `s[1]/${neighbour}`, `${header}1,0,a\n2,0,b\n`);
  await put(folder, `s[1]/${star}`, `${header}1,0,a\n2,0,b\n3,0,c\n`);
  await put(folder, 's[1]/run12.csv', `${header}9,0,z\n`);
  const patients = async (path: string) =>
    patientCount((await read(join(folder, 's[1]'), join(folder, 's[1]', path))).cohort);
  t.is(await patients(brackets), 1);
  t.is(await patients(neighbour), 2);
  t.is(await patients(star), 3);
  await putParquet(folder, 'x.parquet', 'id, time, visit_codes', ["1, 0, 'a'"]);
  await rename(join(folder, 'x.parquet'), join(folder, 's[1]', 'p[0-9].parquet'));
  t.is(await patients('p[0-9].parquet'), 1);
});

test('shards are found through links and deep down; what systems leave there is no shard', async (t) => {
  const folder = await tempFolder(t);
  const path = await meds(folder, { 'a/b/c/d/e/f/0': events.slice(0, 2) });
  await writeFile(join(path, 'data', '._0.parquet'), 'left by a Mac');
  await putParquet(folder, 'elsewhere/1.parquet', medsColumns, events.slice(2));
  await symlink(join(folder, 'elsewhere'), join(path, 'data', 'linked'));
  t.is(patientCount((await read(folder, path)).cohort), 4);
  await mkdir(join(path, 'data', 'g'));
  await symlink(join(path, 'data'), join(path, 'data', 'g', 'up'));
  await t.throwsAsync(read(folder, path), { message: /is it a link to itself\?/ });
});

test('a byte-order mark, and lines ending in LF and CR LF, make no difference', async (t) => {
  const folder = await tempFolder(t);
  const json = await read(folder, await put(folder, 'a.json', '\uFEFF[{"visits": [["a"], ["b"]]}]'));
  t.is(visitCount(json.cohort), 2);
  const csv = await read(folder, await put(folder, 'a.csv', '\uFEFFid,time,visit_codes\n1,0,a\r\n1,1,b\r\n'));
  t.deepEqual(csv.cohort.codes, json.cohort.codes);
});
