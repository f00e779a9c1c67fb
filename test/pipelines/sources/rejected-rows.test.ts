// Rows that cannot be used are rejected one by one, with line, reason and column; odd rows are kept and noted.
import test, { type ExecutionContext } from 'ava';
import { noteKinds, rejectReasons } from '../../../pipelines/sources/reasons.ts';
import { mimicFolder, smallTables } from '../../helpers/mimic-folder.ts';
import { rejectsOf, runExtract } from './run-extract.ts';

const stays =
  'subject_id,hadm_id,icustay_id,intime,outtime\n10,100,7,2140-01-01 11:00:00,2140-01-02 11:00:00\n';
const tables: Record<string, string> = { ...smallTables, 'ICUSTAYS.csv': stays };

/** The small tables with one line added to one of them, extracted. */
const withLine = async (t: ExecutionContext, table: string, added: string) => {
  const text = tables[`${table}.csv`] ?? '';
  const result = await runExtract(t, await mimicFolder(t, { [`${table}.csv`]: `${text}${added}\n` }));
  return { ...result, line: text.split('\n').length, rejects: await rejectsOf(t, result.folder) };
};

const cells = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((row) => row.split('|').map((cell) => cell.trim())) as [string, string, string, string, string][];

// What it is | reason | what rejects.parquet says | table | the line that is added
const turnedAway = cells(`
too few fields | too-few-fields | 4 fields where the header has 5 | DIAGNOSES_ICD | 9,10,100,3
too many fields | too-many-fields | 6 fields where the header has 5 | DIAGNOSES_ICD | 9,10,100,3,4019,
last line cut short | too-few-fields | 5 fields where the header has 9 | LABEVENTS | 9,10,100,50868,2140-0
quote in quotes | broken-quote | field 7 of 11 | PRESCRIPTIONS | 9,10,100,,,MAIN,"Catheter 5" long, sterile",,,,
empty key | missing-value | column subject_id is empty | PATIENTS | 9,,F,2100-01-01 00:00:00,
word for empty key | missing-value | column subject_id is empty | PATIENTS | 9,NULL,F,2100-01-01,
empty code | missing-value | column icd9_code is empty | DIAGNOSES_ICD | 9,10,100,3,
drug of blanks | missing-value | column drug is empty | PRESCRIPTIONS | 9,10,100,,,MAIN,"  ",,,,
no admission time | missing-value | column admittime is empty | ADMISSIONS | 9,12,104,,2150-03-05,,,,,,,0
id in words | not-an-integer | column subject_id is not an integer | PATIENTS | 9,x12,F,2100-01-01,
id with a fraction | not-an-integer | column subject_id is not an integer | PATIENTS | 9,12.5,F,2100-01-01,
id below zero | not-an-integer | column subject_id is not an integer | PATIENTS | 9,-12,F,2100-01-01,
id in powers of ten | not-an-integer | column subject_id is not an integer | PATIENTS | 9,1e3,F,2100-01-01,
id of 33 bits | not-an-integer | column subject_id is not an integer | PATIENTS | 9,4294967297,F,2100-01-01,
admission in words | not-an-integer | column hadm_id is not an integer | LABEVENTS | 9,10,none,50868,2140-01-01,1,1,,
no such day | not-a-timestamp | column charttime is not a timestamp | LABEVENTS | 9,10,100,50868,2140-02-30,1,1,,
no such hour | not-a-timestamp | column charttime is not a timestamp | LABEVENTS | 9,10,100,50868,2140-01-01 25:00,1,1,,
time is a number | not-a-timestamp | column charttime is not a timestamp | LABEVENTS | 9,10,100,50868,0,1,1,,
two-digit year | not-a-timestamp | column charttime is not a timestamp | LABEVENTS | 9,10,100,50868,40-01-01,1,1,,
endless time | not-a-timestamp | column charttime is not a timestamp | LABEVENTS | 9,10,100,50868,infinity,1,1,,
code with a dot | not-a-code | column icd9_code is not a code of letters and digits | DIAGNOSES_ICD | 9,10,100,3,401.9
patient again | repeated-key | column subject_id is on an earlier line, too | PATIENTS | 9,10,M,2101-01-01,
admission again | repeated-key | column hadm_id is on an earlier line, too | ADMISSIONS | 9,12,103,2150-03-01,,,,,,,,0
stay again | repeated-key | column icustay_id is on an earlier line, too | ICUSTAYS | 10,100,7,,
admission of no patient | unknown-patient | column subject_id is not in PATIENTS | ADMISSIONS | 9,9,104,2150-03-01,,,,,,,,0
result of no patient | unknown-patient | column subject_id is not in PATIENTS | LABEVENTS | 9,9,,50868,2140-01-01,1,1,,
code of no admission | unknown-admission | column hadm_id is not in ADMISSIONS | DIAGNOSES_ICD | 9,10,999,3,4019
code at another's | wrong-patient | columns subject_id and hadm_id disagree with ADMISSIONS | DIAGNOSES_ICD | 9,10,101,3,4019
death before birth | death-before-birth | column dod is before column dob | PATIENTS | 9,13,F,2100-01-02,2100-01-01
discharge first | discharge-before-admission | column dischtime is a day before column admittime | ADMISSIONS \
 | 9,12,104,2150-03-06,2150-03-05,,,,,,,0
admission unborn | admission-before-birth | column admittime is before column dob of PATIENTS | ADMISSIONS \
 | 9,12,104,2110-03-01,2110-03-05,,,,,,,0
`);

for (const [title, reason, detail, table, added] of turnedAway)
  test(`rejected: ${title}`, async (t) => {
    const { rejects, line, tables } = await withLine(t, table, added);
    t.deepEqual(rejects, [{ source_table: table, line, reason, detail }]);
    t.like(tables[table], { read: line - 1, kept: line - 2, rejected: { [reason]: 1 } });
  });

// What it is | note in extraction.json | table | the line that is added
const noted = cells(`
birth in another form | unreadable-cell dob | PATIENTS | 9,13,F,01/02/2100,
sex other than M and F | unreadable-cell gender | PATIENTS | 9,13,U,2100-01-01,
decimal comma | unreadable-cell valuenum | LABEVENTS | 9,10,100,50868,2140-01-02,"1,5","1,5",,
infinite number | unreadable-cell valuenum | LABEVENTS | 9,10,100,50868,2140-01-02,x,1e999,,
no birth | no-birth-time | PATIENTS | 9,13,F,,
no sex | no-sex | PATIENTS | 9,13,,2100-01-01,
discharge hours early | early-discharge | ADMISSIONS | 9,12,104,2150-03-05 13:00:00,2150-03-05,,,,,,,0
ends first | ends-before-start | PRESCRIPTIONS | 9,10,100,2140-01-03,2140-01-02,MAIN,x,1,,,
no start | no-start | PRESCRIPTIONS | 9,10,100,,,MAIN,x,1,,,
drug code of zeros | no-ndc | PRESCRIPTIONS | 9,10,100,2140-01-03,,MAIN,x,00000000000,,,
outpatient | no-admission | LABEVENTS | 9,10,NA,50868,2139-01-01,19,19,,
result in words | no-number | LABEVENTS | 9,10,100,50868,2140-01-02,NEG,,,
result before its admission | outside-admission | LABEVENTS | 9,10,100,50868,2139-01-01,19,19,,
diagnosis again | repeated-row | DIAGNOSES_ICD | 9,10,100,3,0389
`);

for (const [title, note, table, added] of noted)
  test(`kept and noted: ${title}`, async (t) => {
    const { rejects, tables } = await withLine(t, table, added);
    t.deepEqual(rejects, []);
    t.is(tables[table]?.notes[note], 1);
  });

test('every reason and note there is has a case here, or is in the demo', (t) => {
  const inDemo = ['shifted-birth', 'untitled-code'];
  const sorted = (names: string[]) => [...new Set(names)].sort();
  t.deepEqual(sorted(turnedAway.map(([, reason]) => reason)), sorted(Object.keys(rejectReasons)));
  t.deepEqual(
    sorted([...noted.map(([, note]) => note.replace(/ .*/, '')), ...inDemo]),
    sorted(Object.keys(noteKinds)),
  );
});

test('rows of a rejected patient are rejected too, each with its own reason', async (t) => {
  const source = await mimicFolder(t, {
    'PATIENTS.csv': smallTables['PATIENTS.csv'].replace('1,10,', '1,ten,'),
  });
  const { folder, tables } = await runExtract(t, source);
  t.deepEqual(
    (await rejectsOf(t, folder)).map((row) => `${row.source_table} ${row.line} ${row.reason}`),
    [
      'PATIENTS 2 not-an-integer',
      'ADMISSIONS 2 unknown-patient',
      'DIAGNOSES_ICD 2 unknown-patient',
      'DIAGNOSES_ICD 3 unknown-patient',
      'PROCEDURES_ICD 2 unknown-patient',
      'PRESCRIPTIONS 2 unknown-patient',
      'LABEVENTS 2 unknown-patient',
    ],
  );
  for (const { read, kept, rejected } of Object.values(tables))
    t.is(
      read,
      Object.values(rejected).reduce((sum, n) => sum + n, kept),
    );
});

test('lines are physical lines, whatever comes before', async (t) => {
  const [header = '', first = '', second = ''] = smallTables['PRESCRIPTIONS.csv'].split('\n');
  const text = [
    header,
    '',
    first.replace('Aspirin', '"Aspirin\nwith\r\nfood"'),
    'short',
    '',
    second,
    '9,10,100,,,MAIN,,,,,',
  ];
  const { folder } = await runExtract(
    t,
    await mimicFolder(t, { 'PRESCRIPTIONS.csv': `\uFEFF${text.join('\r\n')}` }),
  );
  t.deepEqual(
    (await rejectsOf(t, folder)).map(({ line, reason }) => [line, reason]),
    [
      [6, 'too-few-fields'],
      [9, 'missing-value'],
    ],
  );
});
