import { literal } from '../../../kernel/duckdb.ts';
import { stageCodeNames } from '../code-names.ts';
import { markText } from '../companions.ts';
import { column, defineLayout, type LayoutFile } from '../layout.ts';

const subject = column('subject_id', 'BIGINT', 'identifier of the patient, invented');

/** Facts of a patient that MEDS has as events: code without its last part, column, table, time. */
const facts = [
  ['GENDER', 'p.sex', 'CAST(NULL AS TIMESTAMP)'],
  ['ETHNICITY', 'p.ethnicity', 'v.admitted'],
  ['LANGUAGE', 'p.language', 'v.admitted'],
  ['MARITAL_STATUS', 'p.marital_status', 'v.admitted'],
  ['INSURANCE', 'v.insurance', 'v.admitted'],
] as const;

const firstVisits = '(SELECT * FROM visits WHERE visit_number = 0)';

const factsSql = facts.map(
  ([name, value, time], i) => `SELECT p.patient, ${time} AS time, ${literal(`${name}//`)} || ${value} AS code,
      ${10 + i} AS place, 0 AS seq, NULL AS value, NULL AS unit, NULL AS hadm_id
    FROM patients p LEFT JOIN ${firstVisits} v USING (patient) WHERE ${value} IS NOT NULL`,
);

const stayEvent = (code: string, time: string, place: number) =>
  `SELECT patient, ${time}, ${code}, ${place}, 0, NULL, NULL, hadm_id FROM visits`;

/** All events; `place` and `seq` order those of one moment. */
const eventsSql = [
  ...factsSql,
  `SELECT patient, birth, 'MEDS_BIRTH', 0, 0, NULL, NULL, NULL FROM patients WHERE birth IS NOT NULL`,
  stayEvent(`'HOSPITAL_ADMISSION//' || coalesce(admission_type, 'UNK')`, 'admitted', 20),
  `SELECT e.patient, e.time, n.meds, 30 + list_position(['dx', 'px', 'rx', 'lab'], e.modality), e.seq, e.value, e.unit,
      v.hadm_id
    FROM events e JOIN visits v USING (visit) JOIN code_names n ON n.modality = e.modality AND n.code = e.code`,
  stayEvent(`'HOSPITAL_DISCHARGE//' || CASE WHEN died THEN 'DIED' ELSE 'UNK' END`, 'discharged', 40),
  `SELECT patient, death, 'MEDS_DEATH', 50, 0, NULL, NULL, NULL FROM patients WHERE death IS NOT NULL`,
].join('\nUNION ALL\n');

const dataFile: LayoutFile = {
  path: 'data/train/0.parquet',
  format: 'parquet',
  columns: [
    subject,
    column('time', 'TIMESTAMP', 'when, invented; empty: of the patient, at no time'),
    column('code', 'VARCHAR', 'what happened, as metadata/codes.parquet lists it'),
    column('numeric_value', 'FLOAT', 'sampled number of a lab test, where the model samples numbers'),
    column('unit', 'VARCHAR', 'unit of the number'),
    column('hadm_id', 'BIGINT', 'identifier of the admission, invented; empty outside of admissions'),
  ],
  sql: `SELECT p.subject_id, e.time, e.code, e.value AS numeric_value, e.unit, e.hadm_id
    FROM (${eventsSql}) e JOIN patients p USING (patient)
    ORDER BY p.subject_id, e.time NULLS FIRST, e.place, e.seq`,
};

const codesFile: LayoutFile = {
  path: 'metadata/codes.parquet',
  format: 'parquet',
  columns: [
    column('code', 'VARCHAR', 'code as in the data'),
    column('description', 'VARCHAR', 'title of the code, where one is known'),
    column(
      'parent_codes',
      'VARCHAR[]',
      'the same code in the vocabulary that it belongs to, where one is known',
    ),
  ],
  // Every code of the vocabulary, and those that say something else of a patient or stay.
  sql: `SELECT code, min(description) AS description, min(parent_codes) AS parent_codes FROM (
      SELECT n.meds AS code, d.title AS description,
        CASE WHEN n.system IS NULL THEN []::VARCHAR[] ELSE [n.system || '/' || n.dotted] END AS parent_codes
      FROM dictionary d JOIN code_names n ON n.modality = d.modality AND n.code = d.code
      UNION ALL SELECT code, NULL, []::VARCHAR[] FROM (${eventsSql})
        WHERE code NOT IN (SELECT meds FROM code_names)) GROUP BY code ORDER BY code`,
};

const splitsFile: LayoutFile = {
  path: 'metadata/subject_splits.parquet',
  format: 'parquet',
  columns: [subject, column('split', 'VARCHAR', 'train for all: evaluation belongs on real patients')],
  sql: `SELECT subject_id, 'train' AS split FROM patients ORDER BY subject_id`,
};

/** One file per label: MEDS allows no other column in them than the label itself. */
const labelFile = (label: string, position: number): LayoutFile => ({
  path: `labels/${String(position).padStart(2, '0')}-${label
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')}.parquet`,
  format: 'parquet',
  columns: [
    subject,
    column('prediction_time', 'TIMESTAMP', 'discharge of the last stay: the label is of the whole record'),
    column('boolean_value', 'BOOLEAN', `whether the patient has the label ${label} at any visit`),
  ],
  sql: `SELECT p.subject_id, max(v.discharged) AS prediction_time, bool_or(l.value = 1) AS boolean_value
    FROM labels l JOIN patients p USING (patient) JOIN visits v USING (patient)
    WHERE l.label = ${literal(label)} GROUP BY p.subject_id ORDER BY p.subject_id`,
});

/** Source: the schemas of the package `meds` 0.4.1; without `text_value` also those of 0.3.3. */
export default defineLayout({
  name: 'meds',
  title: 'Medical Event Data Standard',
  reader: 'tools of the MEDS ecosystem, and `understudy evaluate`',
  formats: [],
  loses: [
    'a patient without visits: in metadata/subject_splits.parquet only',
    'a visit without codes has an admission and a discharge; our own reader leaves it out',
  ],
  invents: [
    'All patients are in the split `train`: a model that is tuned or tested on synthetic patients was tested on the generator. Set real patients apart for that.',
  ],
  example: () => [
    'import pandas as pd',
    "events = pd.read_parquet('data/train/0.parquet')",
    "codes = pd.read_parquet('metadata/codes.parquet').set_index('code')",
    "events['kind'] = events['code'].str.split('//').str[0]",
    "print(events.groupby('kind')['subject_id'].agg(['size', 'nunique']))",
    "print(events[events['kind'] == 'DIAGNOSIS']['code'].value_counts().head(10).to_frame().join(codes['description']))",
  ],
  files: async ({ database, labels }) => {
    await stageCodeNames(database);
    return [dataFile, codesFile, splitsFile, ...labels.map(labelFile)];
  },
  // No date of creation: equal cohorts give equal bytes.
  extra: async ({ generator }) => ({
    'metadata/dataset.json': `${JSON.stringify(
      {
        dataset_name: `synthetic patients of ${generator}`,
        etl_name: 'understudy export',
        meds_version: '0.4.1',
        license: 'see README.md: derived from data with terms of its own',
        description: markText,
        code_modifier_columns: ['unit'],
        other_extension_columns: ['hadm_id'],
      },
      null,
      2,
    )}\n`,
  }),
});
