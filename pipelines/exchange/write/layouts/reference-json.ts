import { literal } from '../../../kernel/duckdb.ts';
import { column, defineLayout } from '../layout.ts';

const codeType = 'STRUCT(modality VARCHAR, code VARCHAR, title VARCHAR)[]';
const patientType = 'STRUCT(visits INTEGER[][], labels INTEGER[])[]';

/** Visits of each patient as lists of code numbers, in order; a patient without visits has an empty list. */
const patients = `SELECT p.patient, coalesce(v.visits, []) AS visits, coalesce(l.labels, []) AS labels
  FROM patients p
  LEFT JOIN (SELECT patient, list(codes ORDER BY visit) AS visits FROM
    (SELECT v.patient, v.visit, coalesce(c.codes, []) AS codes FROM visits v LEFT JOIN
      (SELECT visit, list(number ORDER BY number) AS codes FROM events JOIN dictionary USING (modality, code)
        GROUP BY visit) c USING (visit))
    GROUP BY patient) v USING (patient)
  LEFT JOIN (SELECT patient, list(value ORDER BY place) AS labels FROM labels GROUP BY patient) l USING (patient)`;

/** What HALO and PromptEHR train on: integer codes and 0/1 labels. Source: btheodorou99/HALO_Inpatient build_dataset.py. */
export default defineLayout({
  name: 'reference-json',
  title: "records of the papers' own code, as JSON",
  reader: 'code written after HALO and PromptEHR, and `understudy evaluate`',
  formats: [],
  loses: ['dates, demographics, and the numbers of lab tests: that a test was done stays'],
  invents: [],
  example: () => [
    'import json',
    "data = json.load(open('cohort.json'))",
    "patients = data['patients']  # [{'visits': [[code, ...], ...], 'labels': [0, 1, ...]}, ...]",
    "index_to_code = {i: c['code'] for i, c in enumerate(data['codes'])}",
    "print(len(patients), 'patients;', data['labels'])",
    "print([[index_to_code[i] for i in visit] for visit in patients[0]['visits']])",
  ],
  files: ({ generator, labels }) => [
    {
      path: 'cohort.json',
      format: 'json-object',
      columns: [
        column('synthetic', 'BOOLEAN', 'always true'),
        column('generator', 'VARCHAR', 'name of the generator'),
        column('labels', 'VARCHAR[]', 'names of the labels, in the order of those of a patient'),
        column('codes', codeType, 'what the numbers in the visits mean: the first is 0'),
        column(
          'patients',
          patientType,
          'per patient, codes of each visit in time order, and 0 or 1 per label',
        ),
      ],
      sql: `SELECT true AS synthetic, ${literal(generator)} AS generator,
          CAST([${labels.map(literal).join(', ')}] AS VARCHAR[]) AS labels,
          (SELECT coalesce(list({modality: modality, code: code, title: title} ORDER BY number), []) FROM dictionary) AS codes,
          (SELECT coalesce(list({visits: visits, labels: labels} ORDER BY patient), []) FROM (${patients})) AS patients`,
    },
  ],
});
