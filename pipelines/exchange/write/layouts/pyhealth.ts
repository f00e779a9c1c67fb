import { column, defineLayout, tableEnd } from '../layout.ts';

/** The frame of PyHealth's metrics.generative. Source: sunlabuiuc/PyHealth pyhealth/metrics/generative/__init__.py. */
export default defineLayout({
  name: 'pyhealth',
  title: "frame of PyHealth's metrics of synthetic records",
  reader: "PyHealth's `evaluate_synthetic_ehr`, and `understudy evaluate` beside other such frames",
  formats: ['parquet', 'csv'],
  loses: [
    'patients without visits, and visits without codes',
    'all labels but one: `labels` is 1 where a patient has any',
    'names of labels, titles, dates, numbers of lab tests and demographics',
    'blanks at either end of a code',
  ],
  invents: [],
  example: (format = 'parquet') => [
    'import pandas as pd',
    'from pyhealth.metrics.generative import evaluate_synthetic_ehr',
    `synthetic = pd.${format === 'csv' ? 'read_csv' : 'read_parquet'}('frame${tableEnd(format)}')`,
    "print(synthetic.groupby('id')['time'].nunique().describe())",
    '# train and test: frames of your real patients with the same columns and codes',
    "print(evaluate_synthetic_ehr(train, test, synthetic, metrics='privacy'))",
  ],
  files: () => [
    {
      path: 'frame',
      format: 'table',
      columns: [
        column('id', 'INTEGER', 'identifier of the patient, invented'),
        column('time', 'INTEGER', 'number of the visit, from 0 in time order'),
        column(
          'visit_codes',
          'VARCHAR',
          'one code, with its modality before it: dx:0389, px:0066, rx:aspirin, lab:50868',
        ),
        column('labels', 'INTEGER', '1 where the patient has any label of the cohort, 0 where not'),
      ],
      sql: `SELECT p.subject_id AS id, v.visit_number AS time, e.modality || ':' || e.code AS visit_codes,
          coalesce(l.value, 0) AS labels
        FROM events e JOIN visits v USING (visit) JOIN patients p ON p.patient = e.patient
        LEFT JOIN (SELECT patient, max(value) AS value FROM labels GROUP BY patient) l ON l.patient = e.patient
        ORDER BY e.visit, list_position(['dx', 'px', 'rx', 'lab'], e.modality), e.seq`,
    },
  ],
  lost: {
    'patients without any code are missing':
      'SELECT count(*) AS n FROM patients ANTI JOIN events USING (patient)',
    'visits without codes are missing': 'SELECT count(*) AS n FROM visits ANTI JOIN events USING (visit)',
  },
});
