import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { assembleCohort, type CohortRules } from '../../../pipelines/cohort/assemble-cohort.ts';
import { type CohortTable, cohortTables } from '../../../pipelines/cohort/assemble-sql.ts';
import { eventTables } from '../../../schemas/events.ts';

/** Rows of event tables; columns that are not named are NULL. */
export type EventRows = Partial<Record<CohortTable, EventRow[]>>;
type EventRow = Record<string, string | number | boolean>;

const literal = (value: string | number | boolean | undefined): string => {
  if (value === undefined) return 'NULL';
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);
};

const selectOf = (table: CohortTable, rows: EventRows[CohortTable]): string => {
  const columns = Object.entries(eventTables[table]);
  const select = (row: EventRow): string =>
    `SELECT ${columns.map(([name, type]) => `CAST(${literal(row[name])} AS ${type}) AS ${name}`).join(', ')}`;
  return [`${select({})} WHERE false`, ...(rows ?? []).map(select)].join(' UNION ALL ');
};

const fixture = (table: string): string =>
  new URL(`../../fixtures/mimic3-demo/${table}.csv.gz`, import.meta.url).pathname;
const demo = (table: string, columns: string): string =>
  `SELECT ${columns} FROM read_csv('${fixture(table)}', all_varchar = true, header = true)`;
const title = 'icd9_code AS code, trim(long_title) AS title';
const rowOfCode =
  'subject_id::INTEGER AS subject_id, hadm_id::INTEGER AS hadm_id, seq_num::INTEGER AS sequence';

/** The MIMIC-III demo as event tables, by the plainest SQL that will do. */
const demoTables: Record<CohortTable, string> = {
  patients: demo(
    'PATIENTS',
    'subject_id::INTEGER AS subject_id, gender AS sex, dob::TIMESTAMP AS birth_time',
  ),
  admissions: demo(
    'ADMISSIONS',
    `subject_id::INTEGER AS subject_id, hadm_id::INTEGER AS hadm_id, admittime::TIMESTAMP AS admit_time,
     dischtime::TIMESTAMP AS discharge_time, admission_type, insurance, language, marital_status, ethnicity,
     hospital_expire_flag = '1' AS died_in_hospital`,
  ),
  diagnoses: demo('DIAGNOSES_ICD', `${rowOfCode}, icd9_code AS code`),
  procedures: demo('PROCEDURES_ICD', `${rowOfCode}, icd9_code AS code`),
  prescriptions: demo(
    'PRESCRIPTIONS',
    'subject_id::INTEGER AS subject_id, hadm_id::INTEGER AS hadm_id, drug_type, trim(drug) AS drug',
  ),
  labs: demo(
    'LABEVENTS',
    'subject_id::INTEGER AS subject_id, hadm_id::INTEGER AS hadm_id, itemid::INTEGER AS item_id, charttime::TIMESTAMP AS time, ' +
      'valuenum::DOUBLE AS number, valueuom AS unit',
  ),
  diagnosis_titles: demo('D_ICD_DIAGNOSES', title),
  procedure_titles: demo('D_ICD_PROCEDURES', title),
  lab_items: demo('D_LABITEMS', 'itemid::INTEGER AS item_id, label, fluid'),
};

export const everyone: CohortRules = {
  split: { validation: 0, holdout: 0 },
  minVisits: 1,
  minAge: 0,
  drugTypes: ['MAIN'],
  labValue: 'last',
  seed: 0,
};

const writeTables = async (
  folder: string,
  rows: EventRows | 'demo',
): Promise<Record<CohortTable, string>> => {
  const paths = cohortTables.map((table) => [table, join(folder, `${table}.parquet`)] as const);
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  for (const [table, path] of paths) {
    const select = rows === 'demo' ? demoTables[table] : selectOf(table, rows[table]);
    await connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet)`);
  }
  connection.closeSync();
  instance.closeSync();
  return Object.fromEntries(paths) as Record<CohortTable, string>;
};

/** Runs `assembleCohort` to its end over the given rows, or over the demo. */
export const assembleRows = async (rows: EventRows | 'demo', rules: Partial<CohortRules> = {}) => {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-test-'));
  try {
    const paths = await writeTables(folder, rows);
    const draft = { path: (file: string) => join(folder, file) };
    const phases = assembleCohort(paths, { ...everyone, ...rules }, draft);
    let next = await phases.next();
    while (!next.done) next = await phases.next();
    return next.value;
  } finally {
    await rm(folder, { recursive: true });
  }
};
