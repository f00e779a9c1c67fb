import test from 'ava';
import { smallTables } from '../../helpers/mimic-folder.ts';
import { refused } from './refused.ts';

const patients = smallTables['PATIENTS.csv'];
const admissions = smallTables['ADMISSIONS.csv'];
const labs = smallTables['LABEVENTS.csv'];
const drugs = smallTables['PRESCRIPTIONS.csv'];
const malformed = 'SourceMalformed';
const headerOf = (text: string) => text.slice(0, text.indexOf('\n') + 1);

test(
  'a column is not there',
  refused,
  { 'LABEVENTS.csv': labs.replace('hadm_id', 'encounter').replace('valuenum', 'n') },
  malformed,
  'LABEVENTS.csv has no column hadm_id, no valuenum. It has: row_id, subject_id, encounter, itemid, charttime, ' +
    'value, n, valueuom, flag',
);
test(
  'two columns of one name',
  refused,
  { 'PATIENTS.csv': patients.replace('row_id', 'GENDER') },
  malformed,
  'PATIENTS.csv has more than one column gender',
);
test(
  'no header line: the first patient is not quoted',
  refused,
  { 'PATIENTS.csv': patients.slice(headerOf(patients).length) },
  malformed,
  'PATIENTS.csv names none of its columns in line 1: does it lack its header line? ' +
    'Expected: subject_id, gender, dob, dod',
);
test(
  'an empty file',
  refused,
  { 'PATIENTS.csv': '' },
  malformed,
  'PATIENTS.csv is empty: there is not even a header line',
);
test(
  'only blank lines',
  refused,
  { 'PATIENTS.csv': '\n \n' },
  malformed,
  'PATIENTS.csv is empty: there is not even a header line',
);
test(
  'no patients',
  refused,
  { 'PATIENTS.csv': headerOf(patients) },
  malformed,
  'PATIENTS.csv has a header but no rows; a cohort needs patients',
);
test(
  'no admissions',
  refused,
  { 'ADMISSIONS.csv': headerOf(admissions) },
  malformed,
  'ADMISSIONS.csv has a header but no rows; a cohort needs admissions',
);
for (const [mark, name] of [
  [';', 'semicolons'],
  ['\t', 'tabs'],
  ['|', 'vertical bars'],
] as const)
  for (const quote of ['', '"'])
    test(
      `${quote ? 'quoted cells' : 'cells'} between ${name}`,
      refused,
      { 'PATIENTS.csv': patients.replaceAll(/[^,\n]+/g, `${quote}$&${quote}`).replaceAll(',', mark) },
      malformed,
      `PATIENTS.csv is separated by ${name}; expected commas. Export it with commas`,
    );
test(
  'Latin-1',
  refused,
  { 'PRESCRIPTIONS.csv': Buffer.from(drugs.replace('D5W', 'Cafeïne'), 'latin1') },
  malformed,
  'PRESCRIPTIONS.csv: line 3 is not UTF-8. Convert it (from Latin-1?)',
);
test(
  'a NUL byte',
  refused,
  { 'LABEVENTS.csv': labs.replace('27.5', '27\0') },
  malformed,
  'LABEVENTS.csv: line 3 holds a NUL byte: the file is damaged or binary',
);
test(
  'a quote that is never closed',
  refused,
  { 'PRESCRIPTIONS.csv': drugs.replace('Aspirin', '"Aspirin') },
  malformed,
  'PRESCRIPTIONS.csv: a quote opened on line 2 is never closed. Close or double it',
);
test(
  'a quote that runs into the next quote, lines below',
  refused,
  { 'PRESCRIPTIONS.csv': drugs.replace('Aspirin', '"Aspirin').replace('D5W', '"D5W"') },
  malformed,
  'PRESCRIPTIONS.csv: a quote opened on line 2 runs to line 3, where text follows it. Close or double it',
);
test(
  'a quote left open before a megabyte of text',
  refused,
  {
    'PRESCRIPTIONS.csv': `${drugs.replace('Aspirin', '"Aspirin')}${'3,10,100,,,MAIN,x,,,,\n'.repeat(60_000)}`,
  },
  malformed,
  'PRESCRIPTIONS.csv: the record that starts on line 2 has more than 1 MiB: is a quote left open?',
);
test(
  'lines that end in a carriage return alone',
  refused,
  { 'PATIENTS.csv': patients.replaceAll('\n', '\r') },
  malformed,
  'PATIENTS.csv: line 1 holds a carriage return alone: lines should end in LF or CR LF',
);
test(
  'every row rejected',
  refused,
  { 'LABEVENTS.csv': labs.replaceAll(/,(10|11),/g, ',$19,') },
  malformed,
  'LABEVENTS.csv: all 2 rows were rejected, 2 because column subject_id is not in PATIENTS (first on line 2)',
);
test(
  'dates of another country',
  refused,
  { 'LABEVENTS.csv': labs.replaceAll(/(\d{4})-(\d\d)-(\d\d)/g, '$2/$3/$1') },
  malformed,
  'LABEVENTS.csv: all 2 rows were rejected, 2 because column charttime is not a timestamp ' +
    '(first on line 2); expected YYYY-MM-DD HH:MM:SS, found the form 99/99/9999 99:99:99',
);
test(
  'codes with dots',
  refused,
  {
    'DIAGNOSES_ICD.csv': smallTables['DIAGNOSES_ICD.csv']
      .replaceAll(/(\w)(\w)$/gm, '$1.$2')
      .replace('cod.e', 'code'),
  },
  malformed,
  'DIAGNOSES_ICD.csv: all 5 rows were rejected, 5 because column icd9_code is not a code of letters ' +
    'and digits (first on line 2); expected letters and digits, found the form 999.9',
);
test(
  'a column of little weight in which nothing can be read',
  refused,
  {
    'PATIENTS.csv':
      headerOf(patients) +
      [...'0123456789ab'].map((_, i) => `${i},${i + 10},${i % 2},2100-01-01,\n`).join(''),
  },
  malformed,
  'PATIENTS.csv: not one of 12 cells of column gender can be read; expected M or F, found the form 9',
);
