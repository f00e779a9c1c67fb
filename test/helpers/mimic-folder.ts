import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import type { ExecutionContext } from 'ava';
import { tempFolder } from './temp-folder.ts';

type Context = Pick<ExecutionContext, 'teardown'>;

/** The real MIMIC-III demo: lower-case headers, `.csv.gz`. */
export const demoFolder = new URL('../fixtures/mimic3-demo', import.meta.url).pathname;

/** The text of one of the demo's tables. */
export const demoTable = async (table: string): Promise<string> =>
  gunzipSync(await readFile(join(demoFolder, `${table}.csv.gz`))).toString();

/** Names of the demo's tables. */
export const demoTables = async (): Promise<string[]> =>
  (await readdir(demoFolder))
    .filter((name) => name.endsWith('.csv.gz'))
    .map((name) => basename(name, '.csv.gz'));

const splitLine = (line: string): string[] =>
  [...line.matchAll(/(?:^|,)("(?:[^"]|"")*"|[^,]*)/g)].map(([, cell = '']) =>
    cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell,
  );

const bare = /^$|^[0-9]+$|^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/;
const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`;

/** The demo as the full release is written: upper-case quoted headers, quoted text; plain `.csv`, lower-case names. */
export const demoInFullStyle = async (t: Context): Promise<string> => {
  const folder = await tempFolder(t);
  for (const table of await demoTables()) {
    const [header = '', ...lines] = (await demoTable(table)).trimEnd().split('\n');
    const styled = lines.map((line) =>
      splitLine(line).map((cell) => (bare.test(cell) ? cell : quoted(cell))),
    );
    const head = splitLine(header).map((name) => quoted(name.toUpperCase()));
    const text = `${[head, ...styled].map((cells) => cells.join(',')).join('\n')}\n`;
    await writeFile(join(folder, `${table.toLowerCase()}.csv`), text);
  }
  return folder;
};

const isTime = (name: string) => /time$|date$|^dob$|^dod/.test(name);
const typeOf = (name: string): string => {
  if (isTime(name)) return 'TIMESTAMP';
  if (/^(subject_id|hadm_id|icustay_id|itemid|seq_num|row_id)$/.test(name)) return 'INTEGER';
  return name === 'valuenum' ? 'DOUBLE' : 'VARCHAR';
};

/** The demo as typed Parquet, as a warehouse would export it. */
export const demoInParquet = async (t: Context): Promise<string> => {
  const folder = await tempFolder(t);
  const connection = await (await DuckDBInstance.create()).connect();
  for (const table of await demoTables()) {
    const header = (await demoTable(table)).split('\n', 1)[0] ?? '';
    const types = header.split(',').map((name) => `'${name}': '${typeOf(name)}'`);
    const source = `read_csv('${join(demoFolder, `${table}.csv.gz`)}', header = true, quote = '"', escape = '"', columns = {${types.join(', ')}})`;
    await connection.run(
      `COPY (SELECT * FROM ${source}) TO '${join(folder, `${table}.parquet`)}' (FORMAT parquet)`,
    );
  }
  connection.closeSync();
  return folder;
};

/** Three invented patients in the six required tables, accepted without a reject or a note. */
export const smallTables = {
  'PATIENTS.csv': `row_id,subject_id,gender,dob,dod
1,10,F,2100-01-01 00:00:00,
2,11,M,2090-05-05 00:00:00,2160-01-05 00:00:00
3,12,F,2120-03-03 00:00:00,
`,
  'ADMISSIONS.csv': `row_id,subject_id,hadm_id,admittime,dischtime,deathtime,admission_type,insurance,language,marital_status,ethnicity,hospital_expire_flag
1,10,100,2140-01-01 10:00:00,2140-01-05 12:00:00,,EMERGENCY,Private,ENGL,SINGLE,WHITE,0
2,11,101,2150-02-01 10:00:00,2150-02-05 12:00:00,,ELECTIVE,Medicare,,MARRIED,ASIAN,0
3,11,102,2160-01-01 10:00:00,2160-01-05 12:00:00,2160-01-05 12:00:00,URGENT,Medicare,,MARRIED,ASIAN,1
4,12,103,2150-03-01 10:00:00,2150-03-05 12:00:00,,EMERGENCY,Private,ENGL,SINGLE,WHITE,0
`,
  'DIAGNOSES_ICD.csv': `row_id,subject_id,hadm_id,seq_num,icd9_code
1,10,100,1,0389
2,10,100,2,99591
3,11,101,1,V4581
4,11,102,1,E8788
5,12,103,1,4280
`,
  'PROCEDURES_ICD.csv': `row_id,subject_id,hadm_id,seq_num,icd9_code
1,10,100,1,0066
2,11,102,1,9604
`,
  'PRESCRIPTIONS.csv': `row_id,subject_id,hadm_id,startdate,enddate,drug_type,drug,ndc,dose_val_rx,dose_unit_rx,route
1,10,100,2140-01-01 00:00:00,2140-01-02 00:00:00,MAIN,Aspirin,00006494300,325-650,mg,PO
2,11,101,2150-02-01 00:00:00,2150-02-02 00:00:00,BASE,D5W,00338001702,250,ml,IV
`,
  'LABEVENTS.csv': `row_id,subject_id,hadm_id,itemid,charttime,value,valuenum,valueuom,flag
1,10,100,50868,2140-01-01 11:00:00,19,19,mEq/L,
2,11,101,50882,2150-02-01 11:00:00,27.5,27.5,mEq/L,abnormal
`,
};

/** A source folder of the small tables, with files added, replaced, or (null) left out. */
export const mimicFolder = async (
  t: Context,
  changes: Record<string, string | Uint8Array | null> = {},
): Promise<string> => {
  const folder = join(await tempFolder(t), 'source');
  await mkdir(folder);
  for (const [name, content] of Object.entries({ ...smallTables, ...changes }))
    if (content !== null) await writeFile(join(folder, name), content);
  return folder;
};
