import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import { fromSafeCell, safeCell } from '../../../../pipelines/exchange/read/formula-cells.ts';
import { literal, openDatabase } from '../../../../pipelines/kernel/duckdb.ts';
import { tempFolder } from '../../../helpers/temp-folder.ts';
import { exportTo, hardCodes, randomCohort } from '../write/cohorts.ts';

const alphabet = ["'", '=', '+', '-', '@', '\t', '\n', '\r', 'a', '1', '.', ' '];
/** Every text of up to three of these characters. */
const texts = [
  '',
  ...alphabet,
  ...alphabet.flatMap((a) => alphabet.flatMap((b) => [a + b, ...alphabet.map((c) => a + b + c)])),
];
const runs = /^[=+\-@\t\r\n]/;
const isNumber = (text: string): boolean => /^[+-]?\d*\.?\d+$/.test(text);

test('a safe cell begins with nothing that a spreadsheet runs, and gives the text back', async (t) => {
  const database = await openDatabase(await tempFolder(t), []);
  try {
    const values = texts.map((text) => `(${literal(text)})`).join(', ');
    const rows = await database.rows<{ text: string; safe: string; back: string }>(
      `SELECT text, safe, ${fromSafeCell('safe')} AS back FROM
        (SELECT text, ${safeCell('text')} AS safe FROM (VALUES ${values}) AS t(text))`,
    );
    t.is(rows.length, texts.length);
    for (const { text, safe, back } of rows) {
      t.is(back, text, JSON.stringify(text));
      t.true(!runs.test(safe) || isNumber(safe), JSON.stringify(safe));
      if (!text.includes("'") && !runs.test(text)) t.is(safe, text);
    }
    t.is(rows.find(({ text }) => text === '-1')?.safe, '-1', 'a number stays one');
  } finally {
    database.close();
  }
});

test('no cell of an exported CSV begins as a formula', async (t) => {
  const root = await tempFolder(t);
  const folder = join(root, 'out');
  await mkdir(folder);
  const cohort = randomCohort(2, { patients: 30, codes: hardCodes, demographics: true });
  await exportTo(folder, join(root, 'work'), 'long', { cohort, format: 'csv' });
  let cells = 0;
  for (const file of ['events', 'metadata/patients', 'metadata/codes']) {
    const text = gunzipSync(await readFile(join(folder, `${file}.csv.gz`))).toString();
    for (const [, quoted, bare] of text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",\n]*))(?=,|\n|$)/gm)) {
      const cell = quoted ?? bare ?? '';
      cells++;
      t.true(!runs.test(cell) || isNumber(cell), JSON.stringify(cell));
    }
  }
  t.true(cells > 1000);
});
