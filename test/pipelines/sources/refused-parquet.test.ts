import { readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import test from 'ava';
import { smallTables } from '../../helpers/mimic-folder.ts';
import { refused } from './refused.ts';

const patients = smallTables['PATIENTS.csv'];
const malformed = 'SourceMalformed';

const parquet = async (folder: string, table: string, select: string) => {
  const connection = await (await DuckDBInstance.create()).connect();
  const file = join(folder, `${table}.csv`);
  const source = `read_csv('${file}', all_varchar = true, header = true)`;
  await connection.run(`COPY (SELECT ${select} FROM ${source}) TO '${join(folder, `${table}.parquet`)}'`);
  connection.closeSync();
  await unlink(file);
};

test(
  'Parquet: codes kept as numbers',
  refused,
  (folder: string) => parquet(folder, 'PROCEDURES_ICD', '* REPLACE (icd9_code::INTEGER AS icd9_code)'),
  malformed,
  'PROCEDURES_ICD.parquet has column icd9_code of type INTEGER: leading zeros of codes are lost. Export it as text',
);
test(
  'Parquet: a nested column',
  refused,
  (folder: string) => parquet(folder, 'LABEVENTS', '* REPLACE ([itemid] AS itemid)'),
  malformed,
  'LABEVENTS.parquet has column itemid of type VARCHAR[]; expected a whole number',
);
test(
  'Parquet: a column is not there',
  refused,
  (folder: string) => parquet(folder, 'PATIENTS', '* EXCLUDE (dod)'),
  malformed,
  'PATIENTS.parquet has no column dod. It has: row_id, subject_id, gender, dob',
);
test(
  'Parquet: cut off',
  refused,
  async (folder: string) => {
    await parquet(folder, 'PATIENTS', '*');
    const file = join(folder, 'PATIENTS.parquet');
    await writeFile(file, (await readFile(file)).subarray(0, -30));
  },
  malformed,
  'PATIENTS.parquet cannot be read as Parquet: it is damaged or cut off. Copy it again',
);
test(
  'Parquet: text inside',
  refused,
  { 'PATIENTS.csv': null, 'PATIENTS.parquet': patients },
  malformed,
  'PATIENTS.parquet is not parquet: its first bytes are those of another format. Is it plain .csv?',
);
