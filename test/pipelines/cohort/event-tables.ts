import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assembleCohort, type CohortRules } from '../../../pipelines/cohort/assemble-cohort.ts';
import { type CohortTable, cohortTables } from '../../../pipelines/cohort/assemble-sql.ts';
import { type OpenDuckDb, openDuckDb } from '../../../pipelines/extract/duckdb.ts';
import { eventTables } from '../../../schemas/events.ts';

/** Rows of event tables; columns that are not named are NULL. */
export type EventRows = Partial<Record<CohortTable, Record<string, string | number | boolean>[]>>;

const literal = (value: string | number | boolean | undefined): string => {
  if (value === undefined) return 'NULL';
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);
};

const selectOf = (table: CohortTable, rows: EventRows[CohortTable]): string => {
  const columns = Object.entries(eventTables[table]);
  const types = columns.map(([name, type]) => `CAST(NULL AS ${type}) AS ${name}`).join(', ');
  const values = rows?.map((row) => `SELECT ${columns.map(([name]) => literal(row[name])).join(', ')}`);
  return [`SELECT ${types} WHERE false`, ...(values ?? [])].join(' UNION ALL ');
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
    'subject_id::INTEGER AS subject_id, hadm_id::INTEGER AS hadm_id, itemid::INTEGER AS item_id',
  ),
  diagnosis_titles: demo('D_ICD_DIAGNOSES', title),
  procedure_titles: demo('D_ICD_PROCEDURES', title),
  lab_items: demo('D_LABITEMS', 'itemid::INTEGER AS item_id, label, fluid'),
};

const inFolder = async <T>(
  use: (duckdb: OpenDuckDb, paths: Record<CohortTable, string>) => Promise<T>,
  select: (table: CohortTable) => string,
): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-test-'));
  const duckdb = await openDuckDb();
  try {
    const entries = cohortTables.map((table) => [table, join(folder, `${table}.parquet`)] as const);
    for (const [table, path] of entries)
      await duckdb.connection.run(`COPY (${select(table)}) TO '${path}' (FORMAT parquet)`);
    return await use(duckdb, Object.fromEntries(entries) as Record<CohortTable, string>);
  } finally {
    await duckdb.close();
    await rm(folder, { recursive: true });
  }
};

export const everyone: CohortRules = {
  split: { validation: 0, holdout: 0 },
  minVisits: 1,
  minAge: 0,
  drugTypes: ['MAIN'],
  seed: 0,
};

/** Runs `assembleCohort` to its end over the given rows, or over the demo. */
export const assembleRows = (rows: EventRows | 'demo', rules: Partial<CohortRules> = {}) =>
  inFolder(
    async ({ connection }, paths) => {
      const phases = assembleCohort(connection, paths, { ...everyone, ...rules });
      for (;;) {
        const { done, value } = await phases.next();
        if (done) return value;
      }
    },
    (table) => (rows === 'demo' ? demoTables[table] : selectOf(table, rows[table])),
  );
