import type { TableFormat } from '../../../../schemas/stages/export.ts';
import { column, defineLayout, type LayoutColumn, type LayoutFile, tableEnd } from '../layout.ts';

const empty = 'not in the cohort; always empty';
const id = (name: string, meaning: string): LayoutColumn => column(name, 'INTEGER', meaning);
const text = (name: string, meaning: string): LayoutColumn => column(name, 'VARCHAR', meaning);
const time = (name: string, meaning: string): LayoutColumn => column(name, 'TIMESTAMP', meaning);

const row = id('ROW_ID', 'number of the row');
const subject = id('SUBJECT_ID', 'identifier of the patient, invented');
const admission = id('HADM_ID', 'identifier of the admission, invented');
const icuStay = id('ICUSTAY_ID', 'identifier of the ICU stay, invented');

/** Code columns of MIMIC-III hold letters and digits. */
const isIcd = (code: string): string => `regexp_full_match(${code}, '[A-Za-z0-9]+')`;
/** Items of MIMIC-III are numbers. */
const isItem = (code: string): string =>
  `coalesce(regexp_full_match(${code}, '[0-9]+') AND TRY_CAST(${code} AS INTEGER) IS NOT NULL, false)`;

const stays = 'visits v JOIN patients p USING (patient)';
const events = `(SELECT * FROM events) e JOIN visits v USING (visit, patient) JOIN patients p USING (patient)`;

const patients: LayoutFile = {
  path: 'PATIENTS',
  format: 'table',
  columns: [
    row,
    subject,
    text('GENDER', 'sampled sex, M or F; empty: the model samples none'),
    time('DOB', 'day of birth that gives the sampled age; invented where the model samples no age'),
    time('DOD', 'death in hospital, where the cohort holds it'),
    time('DOD_HOSP', 'the same'),
    time('DOD_SSN', empty),
    id('EXPIRE_FLAG', '1 where DOD is there'),
  ],
  sql: `SELECT row_number() OVER (ORDER BY patient) AS ROW_ID, subject_id AS SUBJECT_ID, sex AS GENDER, filled_birth AS DOB,
      death AS DOD, death AS DOD_HOSP, NULL AS DOD_SSN, CAST(death IS NOT NULL AS INTEGER) AS EXPIRE_FLAG
    FROM patients ORDER BY patient`,
};

const admissions: LayoutFile = {
  path: 'ADMISSIONS',
  format: 'table',
  columns: [
    row,
    subject,
    admission,
    time('ADMITTIME', 'invented, but for the days between admissions where the model samples them'),
    time('DISCHTIME', 'invented'),
    time('DEATHTIME', 'time of discharge where the patient died in this stay'),
    text(
      'ADMISSION_TYPE',
      'sampled for the first admission, repeated at later ones; empty: the model samples none',
    ),
    text('ADMISSION_LOCATION', empty),
    text('DISCHARGE_LOCATION', 'DEAD/EXPIRED where the patient died in this stay'),
    text(
      'INSURANCE',
      'sampled for the first admission, repeated at later ones; empty: the model samples none',
    ),
    text('LANGUAGE', 'sampled; empty: the model samples none'),
    text('RELIGION', empty),
    text('MARITAL_STATUS', 'sampled; empty: the model samples none'),
    text('ETHNICITY', 'sampled; empty: the model samples none'),
    time('EDREGTIME', empty),
    time('EDOUTTIME', empty),
    text('DIAGNOSIS', 'always SYNTHETIC PATIENT, so that no row can be taken for a real one'),
    id('HOSPITAL_EXPIRE_FLAG', '1 where the patient died in this stay'),
    id('HAS_CHARTEVENTS_DATA', 'always 0'),
  ],
  sql: `SELECT v.visit + 1 AS ROW_ID, p.subject_id AS SUBJECT_ID, v.hadm_id AS HADM_ID, v.admitted AS ADMITTIME,
      v.discharged AS DISCHTIME, CASE WHEN v.died THEN v.discharged END AS DEATHTIME, v.admission_type AS ADMISSION_TYPE,
      NULL AS ADMISSION_LOCATION, CASE WHEN v.died THEN 'DEAD/EXPIRED' END AS DISCHARGE_LOCATION, v.insurance AS INSURANCE,
      p.language AS LANGUAGE, NULL AS RELIGION, p.marital_status AS MARITAL_STATUS, p.ethnicity AS ETHNICITY,
      NULL AS EDREGTIME, NULL AS EDOUTTIME, 'SYNTHETIC PATIENT' AS DIAGNOSIS,
      CAST(v.died AS INTEGER) AS HOSPITAL_EXPIRE_FLAG, 0 AS HAS_CHARTEVENTS_DATA
    FROM ${stays} ORDER BY v.visit`,
};

const icuStays: LayoutFile = {
  path: 'ICUSTAYS',
  format: 'table',
  columns: [
    row,
    subject,
    admission,
    icuStay,
    text('DBSOURCE', 'always synthetic'),
    text('FIRST_CAREUNIT', 'always MICU, invented'),
    text('LAST_CAREUNIT', 'always MICU, invented'),
    id('FIRST_WARDID', 'always 1, invented'),
    id('LAST_WARDID', 'always 1, invented'),
    time('INTIME', 'time of admission, invented'),
    time('OUTTIME', 'half of the way to the discharge, invented'),
    column('LOS', 'DOUBLE', 'days from INTIME to OUTTIME, invented'),
  ],
  sql: `SELECT visit + 1 AS ROW_ID, subject_id AS SUBJECT_ID, hadm_id AS HADM_ID, icustay_id AS ICUSTAY_ID,
      'synthetic' AS DBSOURCE, 'MICU' AS FIRST_CAREUNIT, 'MICU' AS LAST_CAREUNIT, 1 AS FIRST_WARDID, 1 AS LAST_WARDID,
      admitted AS INTIME, left_icu AS OUTTIME, round((epoch(left_icu) - epoch(admitted)) / 86400, 4) AS LOS
    FROM (SELECT *, admitted + to_seconds(CAST(floor((epoch(discharged) - epoch(admitted)) / 2) AS BIGINT)) AS left_icu
      FROM ${stays}) ORDER BY visit`,
};

const coded = (path: string, modality: 'dx' | 'px', what: string): LayoutFile => ({
  path,
  format: 'table',
  columns: [
    row,
    subject,
    admission,
    id(
      'SEQ_NUM',
      `from 1 in the order of the vocabulary, the commonest first; the cohort holds no order of ${what}`,
    ),
    text('ICD9_CODE', `code of a ${what}, without a dot`),
  ],
  sql: `SELECT row_number() OVER (ORDER BY e.visit, e.seq) AS ROW_ID, p.subject_id AS SUBJECT_ID, v.hadm_id AS HADM_ID,
      row_number() OVER (PARTITION BY e.visit ORDER BY e.seq) AS SEQ_NUM, e.code AS ICD9_CODE
    FROM ${events} WHERE e.modality = '${modality}' AND ${isIcd('e.code')} ORDER BY e.visit, e.seq`,
});

const prescriptions: LayoutFile = {
  path: 'PRESCRIPTIONS',
  format: 'table',
  columns: [
    row,
    subject,
    admission,
    id('ICUSTAY_ID', empty),
    time('STARTDATE', 'a day of the stay, invented'),
    time('ENDDATE', 'the day after, invented'),
    text('DRUG_TYPE', 'always MAIN'),
    text('DRUG', 'name of the drug, in lower case'),
    text('DRUG_NAME_POE', empty),
    text('DRUG_NAME_GENERIC', empty),
    text('FORMULARY_DRUG_CD', empty),
    text('GSN', empty),
    text('NDC', empty),
    text('PROD_STRENGTH', empty),
    text('DOSE_VAL_RX', empty),
    text('DOSE_UNIT_RX', empty),
    text('FORM_VAL_DISP', empty),
    text('FORM_UNIT_DISP', empty),
    text('ROUTE', empty),
  ],
  sql: `SELECT row_number() OVER (ORDER BY e.visit, e.seq) AS ROW_ID, p.subject_id AS SUBJECT_ID, v.hadm_id AS HADM_ID,
      NULL AS ICUSTAY_ID, date_trunc('day', e.time) AS STARTDATE, date_trunc('day', e.time) + INTERVAL 1 DAY AS ENDDATE,
      'MAIN' AS DRUG_TYPE, e.code AS DRUG, NULL AS DRUG_NAME_POE, NULL AS DRUG_NAME_GENERIC, NULL AS FORMULARY_DRUG_CD,
      NULL AS GSN, NULL AS NDC, NULL AS PROD_STRENGTH, NULL AS DOSE_VAL_RX, NULL AS DOSE_UNIT_RX, NULL AS FORM_VAL_DISP,
      NULL AS FORM_UNIT_DISP, NULL AS ROUTE
    FROM ${events} WHERE e.modality = 'rx' ORDER BY e.visit, e.seq`,
};

/** As MIMIC writes them: 19 and not 19.0. */
const numberText = `CASE WHEN e.value = floor(e.value) AND abs(e.value) < 1e15 THEN CAST(CAST(e.value AS BIGINT) AS VARCHAR)
  ELSE CAST(e.value AS VARCHAR) END`;

const labEvents: LayoutFile = {
  path: 'LABEVENTS',
  format: 'table',
  columns: [
    row,
    subject,
    admission,
    id('ITEMID', 'lab test, see D_LABITEMS'),
    time('CHARTTIME', 'a moment of the stay, invented'),
    text('VALUE', 'sampled number as text; empty: the model samples that the test was done, and no number'),
    column('VALUENUM', 'DOUBLE', 'the same as a number'),
    text('VALUEUOM', 'unit of the number'),
    text('FLAG', empty),
  ],
  sql: `SELECT row_number() OVER (ORDER BY e.visit, e.seq) AS ROW_ID, p.subject_id AS SUBJECT_ID, v.hadm_id AS HADM_ID,
      CAST(e.code AS INTEGER) AS ITEMID, e.time AS CHARTTIME, ${numberText} AS VALUE, e.value AS VALUENUM,
      e.unit AS VALUEUOM, NULL AS FLAG
    FROM ${events} WHERE e.modality = 'lab' AND ${isItem('e.code')} ORDER BY e.visit, e.seq`,
};

const titles = (path: string, modality: 'dx' | 'px', what: string): LayoutFile => ({
  path,
  format: 'table',
  columns: [
    row,
    text('ICD9_CODE', `code of a ${what}, without a dot`),
    text('SHORT_TITLE', 'the first 24 characters of LONG_TITLE'),
    text('LONG_TITLE', 'title, where the source had one'),
  ],
  sql: `SELECT row_number() OVER (ORDER BY number) AS ROW_ID, code AS ICD9_CODE, left(title, 24) AS SHORT_TITLE,
      title AS LONG_TITLE
    FROM dictionary WHERE modality = '${modality}' AND ${isIcd('code')} ORDER BY number`,
});

/** A title of a lab test is its label with the fluid in brackets. */
const labTitle = String.raw`'^(.*) \(([^()]*)\)$'`;

const labItems: LayoutFile = {
  path: 'D_LABITEMS',
  format: 'table',
  columns: [
    row,
    id('ITEMID', 'lab test'),
    text('LABEL', 'name of the test, where the source had one'),
    text('FLUID', 'what was tested, where the source had it'),
    text('CATEGORY', empty),
    text('LOINC_CODE', empty),
  ],
  sql: `SELECT row_number() OVER (ORDER BY number) AS ROW_ID, CAST(code AS INTEGER) AS ITEMID,
      CASE WHEN regexp_matches(title, ${labTitle}) THEN regexp_extract(title, ${labTitle}, 1) ELSE title END AS LABEL,
      nullif(regexp_extract(title, ${labTitle}, 2), '') AS FLUID, NULL AS CATEGORY, NULL AS LOINC_CODE
    FROM dictionary WHERE modality = 'lab' AND ${isItem('code')} ORDER BY number`,
};

const isOther = `modality IN ('dx', 'px') AND NOT ${isIcd('code')} OR modality = 'lab' AND NOT ${isItem('code')}`;

const example = (format: TableFormat = 'csv'): string[] => {
  const end = tableEnd(format);
  const read = (table: string, more = '') =>
    format === 'csv' ? `pd.read_csv('${table}${end}'${more})` : `pd.read_parquet('${table}${end}')`;
  return [
    'import pandas as pd',
    `patients = ${read('PATIENTS', ", parse_dates=['DOB', 'DOD']")}`,
    `admissions = ${read('ADMISSIONS', ", parse_dates=['ADMITTIME', 'DISCHTIME']")}`,
    `diagnoses = ${read('DIAGNOSES_ICD', ", dtype={'ICD9_CODE': str}")}`,
    `titles = ${read('D_ICD_DIAGNOSES', ", dtype={'ICD9_CODE': str}")}`,
    "print(diagnoses.merge(titles, on='ICD9_CODE')['LONG_TITLE'].value_counts().head(10))",
  ];
};

/** Tables of MIMIC-III 1.4. Johnson et al. 2016, Scientific Data 3:160035. */
export default defineLayout({
  name: 'mimic-iii',
  title: 'tables of MIMIC-III 1.4',
  reader:
    "code for MIMIC-III, such as PyHealth's MIMIC3Dataset, the MIMIC-III benchmark, and `understudy` itself",
  formats: ['csv', 'parquet'],
  loses: [
    'labels: they follow from the diagnoses again',
    'ICD codes with other characters than letters and digits, and lab tests that are no MIMIC item: left out',
    'visits without codes and patients without visits: they stand in ADMISSIONS and PATIENTS, and code that builds cohorts from codes drops them',
    "in CSV, a drug whose name begins as a formula keeps the `'` before it",
    'notes, vital signs, doses and NDC numbers: no generator samples them',
  ],
  invents: [
    'Every admission has one ICU stay, from its beginning to half of its length, in one unit.',
    'Where the model sampled no age, a patient is 18 to 90 years old at the first admission, uniform. Sex stays empty.',
    'A drug is given for one day, and the order of diagnoses and procedures in an admission is that of the vocabulary.',
    'No patient dies, unless the cohort holds deaths in hospital.',
  ],
  example,
  files: () => [
    patients,
    admissions,
    icuStays,
    coded('DIAGNOSES_ICD', 'dx', 'diagnosis'),
    coded('PROCEDURES_ICD', 'px', 'procedure'),
    prescriptions,
    labEvents,
    titles('D_ICD_DIAGNOSES', 'dx', 'diagnosis'),
    titles('D_ICD_PROCEDURES', 'px', 'procedure'),
    labItems,
  ],
  lost: {
    'code occurrences were left out, for their code is none that MIMIC-III can hold': `SELECT count(*) AS n FROM events WHERE ${isOther}`,
  },
});
