import { type Modality, modalities } from '../../schemas/ehr.ts';
import type { EventTable } from '../../schemas/events.ts';
import { fileLiteral, literal } from '../kernel/duckdb.ts';

/** What decides which patients and which drug rows come in. */
export interface CohortFilter {
  minVisits: number;
  minAge: number;
  drugTypes: readonly string[];
}

/** Tables of an `events` artifact that a cohort is made of. */
export const cohortTables = [
  'patients',
  'admissions',
  'diagnoses',
  'procedures',
  'prescriptions',
  'labs',
  'diagnosis_titles',
  'procedure_titles',
  'lab_items',
] as const satisfies EventTable[];
export type CohortTable = (typeof cohortTables)[number];

/** Names each Parquet file as a view of the table it holds. */
export const tableViews = (paths: Record<CohortTable, string>): string[] =>
  cohortTables.map((table) => `CREATE VIEW ${table} AS FROM read_parquet(${fileLiteral(paths[table])})`);

// Case and blanks of drug names vary with the person who entered them (592 spellings, 571 drugs in the demo).
const foldedDrug = String.raw`regexp_replace(lower(trim(drug)), '\s+', ' ', 'g')`;

/** Where each modality's codes come from: table, code, and which rows count at all. */
const sources = ({
  drugTypes,
}: CohortFilter): Record<Modality, { table: string; code: string; when: string }> => ({
  dx: { table: 'diagnoses', code: 'code', when: 'true' },
  px: { table: 'procedures', code: 'code', when: 'true' },
  rx: {
    table: 'prescriptions',
    code: foldedDrug,
    when: `coalesce(drug_type IN (${drugTypes.map(literal).join(', ')}), false)`,
  },
  lab: { table: 'labs', code: 'CAST(item_id AS VARCHAR)', when: 'true' },
});

/** Table `occurrence_<modality>`: each code once per admission, whatever its number of rows. */
export const occurrences = (modality: Modality, filter: CohortFilter): string => {
  const { table, code, when } = sources(filter)[modality];
  return `CREATE TABLE occurrence_${modality} AS
    SELECT DISTINCT subject_id, hadm_id, ${code} AS code
    FROM ${table} SEMI JOIN admissions USING (subject_id, hadm_id) WHERE ${when} AND ${code} IS NOT NULL`;
};

/** Rows of a modality by fate; each row is counted once, under the first reason that applies. */
export const rowCounts = (modality: Modality, filter: CohortFilter): string => {
  const { table, code, when } = sources(filter)[modality];
  return `SELECT count(*) AS rows,
      count_if(a.hadm_id IS NULL) AS withoutAdmission,
      count_if(a.hadm_id IS NOT NULL AND NOT ${when}) AS otherDrugType,
      count_if(a.hadm_id IS NOT NULL AND ${when} AND ${code} IS NULL) AS withoutCode,
      count_if(a.hadm_id IS NOT NULL AND ${when} AND ${code} IS NOT NULL)
        - (SELECT count(*) FROM occurrence_${modality}) AS repeated
    FROM ${table} r LEFT JOIN admissions a ON a.subject_id = r.subject_id AND a.hadm_id = r.hadm_id`;
};

const days = (later: string, earlier: string): string => `(epoch(${later}) - epoch(${earlier})) / 86400.0`;

// MIMIC moves the birth of patients over 89 to 300 years before their first admission and gives 91.4 as the
// median of their true ages. The year is the Gregorian mean, 365.2425 days.
const yearsOld = 'age_days / 365.2425';
const age = `CASE WHEN age_days < 0 THEN NULL WHEN ${yearsOld} >= 150 THEN ${yearsOld} - 300 + 91.4
  ELSE ${yearsOld} END`;

/**
 * Tables `stay` (every admission), `candidate` (those with a code, numbered), `visit` (those that are kept).
 */
export const visits = ({ minVisits, minAge }: CohortFilter): string[] => [
  `CREATE TABLE stay AS SELECT *, ${age} AS age FROM (
    SELECT a.*, p.sex, ${days('a.admit_time', 'p.birth_time')} AS age_days,
      ${modalities.map((m) => `hadm_id IN (SELECT hadm_id FROM occurrence_${m})`).join(' OR ')} AS coded
    FROM admissions a JOIN patients p USING (subject_id))`,
  `CREATE TABLE candidate AS
    SELECT *, row_number() OVER in_time AS number, first_value(age) OVER in_time AS first_age,
      count(*) OVER (PARTITION BY subject_id) AS visits,
      ${days('admit_time', 'lag(admit_time) OVER in_time')} AS since_admission,
      ${days('admit_time', 'lag(discharge_time) OVER in_time')} AS since_discharge
    FROM stay WHERE coded
    WINDOW in_time AS (PARTITION BY subject_id ORDER BY admit_time, discharge_time, hadm_id)`,
  `CREATE TABLE visit AS
    SELECT *, CAST(row_number() OVER (ORDER BY subject_id, number) - 1 AS INTEGER) AS visit
    FROM candidate WHERE visits >= ${minVisits} AND coalesce(first_age, 0) >= ${minAge}`,
];

/**
 * Queries that count the patients, and the admissions, left out. Unknown age is too young for any `minAge`.
 */
export const visitCounts = ({ minVisits, minAge }: CohortFilter): [patients: string, stays: string] => [
  `SELECT (SELECT count(*) FROM patients ANTI JOIN candidate USING (subject_id)) AS noVisits,
    count_if(visits < ${minVisits}) AS tooFewVisits,
    count_if(visits >= ${minVisits} AND coalesce(first_age, 0) < ${minAge}) AS tooYoung
    FROM candidate WHERE number = 1`,
  `SELECT (SELECT count(*) FROM admissions) - (SELECT count(*) FROM stay) AS unknownPatient,
    (SELECT count(*) FROM stay WHERE NOT coded) AS noCodes,
    (SELECT count(*) FROM candidate) - (SELECT count(*) FROM visit) AS patientLeftOut`,
];

/** Columns of one row per kept visit, patients by subject, visits in time order. */
export const visitRows = `
  SELECT subject_id, hadm_id, age, ${days('discharge_time', 'admit_time')}, since_admission, since_discharge,
    CAST(died_in_hospital AS INTEGER), admission_type, insurance, sex, ethnicity, marital_status, language
  FROM visit ORDER BY visit`;

const titles: Record<Modality, string> = {
  dx: 'SELECT code, min(title) AS title FROM diagnosis_titles GROUP BY code',
  px: 'SELECT code, min(title) AS title FROM procedure_titles GROUP BY code',
  // The spelling seen most often stands for the drug.
  rx: `SELECT ${foldedDrug} AS code, arg_max(drug, (rows, drug)) AS title
    FROM (SELECT drug, count(*) AS rows FROM prescriptions WHERE drug IS NOT NULL GROUP BY drug) GROUP BY code`,
  lab: `SELECT CAST(item_id AS VARCHAR) AS code, min(label || coalesce(' (' || fluid || ')', '')) AS title
    FROM lab_items GROUP BY item_id`,
};

/** Table `code_<modality>`: the codes of kept visits in byte order; the title is null where none is known. */
export const codeTable = (modality: Modality): string => `
  CREATE TABLE code_${modality} AS
    SELECT CAST(row_number() OVER (ORDER BY code) - 1 AS INTEGER) AS index, code, title
    FROM (SELECT DISTINCT code FROM occurrence_${modality} SEMI JOIN visit USING (subject_id, hadm_id))
    LEFT JOIN (${titles[modality]}) USING (code)`;

/** Columns of one row per code of a kept visit, in visit and code order. */
export const codeRows = (modality: Modality): string => `
  SELECT visit, index FROM occurrence_${modality} JOIN visit USING (subject_id, hadm_id)
    JOIN code_${modality} USING (code) ORDER BY visit, index`;
