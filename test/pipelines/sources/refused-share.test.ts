/**
 * A source of which too much falls out, or whose dictionary contradicts it, ends the run with the commonest
 * reason.
 */
import test from 'ava';
import { mimicFolder, smallTables } from '../../helpers/mimic-folder.ts';
import { refused } from './refused.ts';
import { runExtract } from './run-extract.ts';

const malformed = 'SourceMalformed';
const limit = 'correct the source, or raise rejectLimit in the run config';
const headerOf = (table: keyof typeof smallTables) => `${smallTables[table].split('\n', 1)[0]}\n`;
const diagnoses = (codes: readonly string[]): string =>
  headerOf('DIAGNOSES_ICD.csv') + codes.map((code, i) => `${i + 1},10,100,${i + 1},${code}\n`).join('');
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
const lab = (value: string, i: number) =>
  `${i + 1},10,100,50912,2140-01-02 08:00:00,${JSON.stringify(value)},${JSON.stringify(value)},mg/dL,\n`;
const labs = (values: readonly string[]): string => headerOf('LABEVENTS.csv') + values.map(lab).join('');
const titles = (codes: readonly string[]): string =>
  `row_id,icd9_code,short_title,long_title\n${codes.map((code, i) => `${i + 1},${code},t,title\n`).join('')}`;

const plain = numbers(88).map((i) => String(4000 + i));
const dotted = numbers(12).map((i) => `401.${i}`);

test(
  'codes with dots: more rows fall out than may',
  refused,
  { 'DIAGNOSES_ICD.csv': diagnoses([...plain.slice(0, 8), ...dotted]) },
  malformed,
  'DIAGNOSES_ICD.csv: 12 of 20 rows were rejected, 12 because column icd9_code is not a code of letters and digits ' +
    `(first on line 10); expected letters and digits, found the form 999.9. At most 20 % rejected rows are accepted; ${limit}`,
);
test(
  "Python's None as a code is an empty cell, and too many of those end the run",
  refused,
  { 'DIAGNOSES_ICD.csv': diagnoses([...plain.slice(0, 8), ...dotted.map(() => 'None')]) },
  malformed,
  'DIAGNOSES_ICD.csv: 12 of 20 rows were rejected, 12 because column icd9_code is empty (first on line 10). ' +
    `At most 20 % rejected rows are accepted; ${limit}`,
);
test(
  'decimal commas: more cells cannot be read than may',
  refused,
  { 'LABEVENTS.csv': labs([...numbers(12).map((i) => `${i},5`), ...numbers(8).map(String)]) },
  malformed,
  'LABEVENTS.csv: 12 of 20 cells of column valuenum cannot be read; expected a number with a decimal point, found the ' +
    `form 9,9. At most 20 % unreadable cells are accepted; ${limit}`,
);
test(
  'zeros that a spreadsheet removed: the dictionary has them',
  refused,
  {
    'D_ICD_DIAGNOSES.csv': titles(['0389', '0380', '00845', '4019', '4280']),
    'DIAGNOSES_ICD.csv': diagnoses(['389', '380', '845', '4019']),
  },
  malformed,
  'DIAGNOSES_ICD.csv: no code begins with a zero, and 3 codes are in the dictionary only with zeros before them: a ' +
    'spreadsheet has removed them. Export the table again with codes as text',
);
test(
  'codes of another system: the dictionary has few of them',
  refused,
  {
    'D_ICD_DIAGNOSES.csv': titles(plain),
    'DIAGNOSES_ICD.csv': diagnoses(numbers(30).map((i) => (i < 3 ? String(4000 + i) : `I${10 + i}`))),
  },
  malformed,
  'DIAGNOSES_ICD.csv: 27 of 30 codes are not in the dictionary beside it. Is it the table of other codes (ICD-10, or ' +
    'diagnoses and procedures exchanged)? Without a dictionary any code is accepted',
);

test('what stays below the limit is counted and goes on; the limit is the user’s', async (t) => {
  const few = await mimicFolder(t, { 'DIAGNOSES_ICD.csv': diagnoses([...plain, ...dotted]) });
  const { tables } = await runExtract(t, few);
  t.is(tables['DIAGNOSES_ICD']?.kept, 88);
  t.deepEqual(tables['DIAGNOSES_ICD']?.rejected, { 'not-a-code': 12 });
  await t.throwsAsync(runExtract(t, few, undefined, 0.1), {
    message: /12 of 100 rows were rejected.*At most 10 %/,
  });
  const many = await mimicFolder(t, { 'DIAGNOSES_ICD.csv': diagnoses([...plain.slice(0, 8), ...dotted]) });
  t.is((await runExtract(t, many, undefined, 1)).tables['DIAGNOSES_ICD']?.kept, 8);
});

test('zeros are not missed where some codes have theirs', async (t) => {
  const source = await mimicFolder(t, {
    'D_ICD_DIAGNOSES.csv': titles(['0389', '0380', '00845', '4019']),
    'DIAGNOSES_ICD.csv': diagnoses(['389', '380', '845', '0389']),
  });
  t.is((await runExtract(t, source)).tables['DIAGNOSES_ICD']?.kept, 4);
});
