import { identifier, literal } from '../../../kernel/duckdb.ts';
import { column, defineLayout, type LayoutFile, tableEnd } from '../layout.ts';

const eventsFile = (labels: readonly string[]): LayoutFile => ({
  path: 'events',
  format: 'table',
  columns: [
    column('patient', 'INTEGER', 'identifier of the patient, invented'),
    column('visit', 'INTEGER', 'number of the visit, from 0 in time order; empty: the patient has no visit'),
    column(
      'modality',
      'VARCHAR',
      'dx diagnosis, px procedure, rx drug, lab test; empty: a visit without codes',
    ),
    column('code', 'VARCHAR', 'code as in the source'),
    column('title', 'VARCHAR', 'title of the code, where one is known'),
    column('time', 'TIMESTAMP', 'when, invented'),
    column('value', 'DOUBLE', 'sampled number of a lab test, where the model samples numbers'),
    column('unit', 'VARCHAR', 'unit of the number'),
    ...labels.map((label) =>
      column(
        `label:${label}`,
        'INTEGER',
        `1 where the patient has the label ${label} at any visit, 0 where not`,
      ),
    ),
  ],
  sql: `SELECT p.subject_id AS patient, v.visit_number AS visit, e.modality, e.code, e.title,
      coalesce(e.time, v.admitted) AS time, e.value, e.unit
      ${labels.map((label, i) => `, l.label_${i} AS ${identifier(`label:${label}`)}`).join('')}
    FROM patients p LEFT JOIN visits v USING (patient) LEFT JOIN events e USING (visit)
    ${
      labels.length === 0
        ? ''
        : `LEFT JOIN (SELECT patient, ${labels
            .map((label, i) => `max(value) FILTER (label = ${literal(label)}) AS label_${i}`)
            .join(', ')} FROM labels GROUP BY patient) l ON l.patient = p.patient`
    }
    ORDER BY p.patient, v.visit, list_position(['dx', 'px', 'rx', 'lab'], e.modality), e.seq`,
});

const patientsFile: LayoutFile = {
  path: 'metadata/patients',
  format: 'table',
  columns: [
    column('patient', 'INTEGER', 'identifier of the patient, invented'),
    column('sex', 'VARCHAR', 'sampled sex, M or F; empty: the model samples none'),
    column('age', 'DOUBLE', 'sampled age at the first admission, years; empty: the model samples none'),
    column('ethnicity', 'VARCHAR', 'sampled ethnicity; empty: the model samples none'),
    column('language', 'VARCHAR', 'sampled language; empty: the model samples none'),
    column('marital_status', 'VARCHAR', 'sampled marital status; empty: the model samples none'),
    column('admission_type', 'VARCHAR', 'sampled type of the first admission; empty: the model samples none'),
    column('insurance', 'VARCHAR', 'sampled insurance at the first admission; empty: the model samples none'),
    column('visits', 'INTEGER', 'number of visits'),
  ],
  sql: `SELECT p.subject_id AS patient, p.sex, p.age, p.ethnicity, p.language, p.marital_status,
      min(v.admission_type) AS admission_type, min(v.insurance) AS insurance, count(v.visit) AS visits
    FROM patients p LEFT JOIN visits v USING (patient) GROUP BY ALL ORDER BY p.subject_id`,
};

const visitsFile: LayoutFile = {
  path: 'metadata/visits',
  format: 'table',
  columns: [
    column('patient', 'INTEGER', 'identifier of the patient, invented'),
    column('visit', 'INTEGER', 'number of the visit, from 0 in time order'),
    column(
      'admitted',
      'TIMESTAMP',
      'admission, invented but for the days between two where those are sampled',
    ),
    column('discharged', 'TIMESTAMP', 'discharge, invented'),
    column('died', 'BOOLEAN', 'whether the patient died in this stay'),
  ],
  sql: `SELECT p.subject_id AS patient, v.visit_number AS visit, v.admitted, v.discharged, v.died
    FROM visits v JOIN patients p USING (patient) ORDER BY v.visit`,
};

const codesFile: LayoutFile = {
  path: 'metadata/codes',
  format: 'table',
  columns: [
    column('modality', 'VARCHAR', 'dx diagnosis, px procedure, rx drug, lab test'),
    column('code', 'VARCHAR', 'code as in the source'),
    column('title', 'VARCHAR', 'title, where one is known'),
    column('unit', 'VARCHAR', 'unit of the numbers of a lab test'),
  ],
  sql: 'SELECT modality, code, title, unit FROM dictionary ORDER BY number',
};

/** One row per code of a visit; our own readers take it, and it is the one that loses least. */
export default defineLayout({
  name: 'long',
  title: 'one plain table, a row per code',
  reader: 'pandas, R, DuckDB or a spreadsheet, and `understudy evaluate`',
  formats: ['parquet', 'csv'],
  loses: ['gaps between visits as tokens: they are the times of the visits'],
  invents: [],
  example: (format = 'parquet') => {
    const end = tableEnd(format);
    const text = format === 'csv' ? ", dtype={'code': str}" : '';
    const reader = format === 'csv' ? 'read_csv' : 'read_parquet';
    return [
      'import pandas as pd',
      `events = pd.${reader}('events${end}'${text})`,
      `patients = pd.${reader}('metadata/patients${end}')`,
      "print(patients['sex'].value_counts(dropna=False))",
      "print(events.groupby('modality')['code'].nunique())",
      "print(events[events['modality'] == 'dx'].groupby(['code', 'title'], dropna=False)['patient'].nunique().nlargest(10))",
    ];
  },
  files: ({ labels }) => [eventsFile(labels), patientsFile, visitsFile, codesFile],
});
