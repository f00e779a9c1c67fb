import { codesOfVisit, labelsOfPatient, patientCount, visitRange } from '../../../patients/visit-columns.ts';
import { dictionaryNumbers } from '../export-tables.ts';
import { column, type DataSet, defineLayout } from '../layout.ts';

const file = 'cohort.json';

/** A patient as the papers' code has them: numbers ascending and once per visit, gaps left out. */
const recordAt = ({ cohort }: DataSet, numbers: Int32Array, patient: number): string => {
  const [first, end] = visitRange(cohort, patient);
  const visits = Array.from({ length: end - first }, (_, visit) => {
    const own = codesOfVisit(cohort, first + visit).map((token) => numbers[token] as number);
    return [...new Set(own.filter((number) => number >= 0))].sort((a, b) => a - b);
  });
  return JSON.stringify({ visits, labels: Array.from(labelsOfPatient(cohort, patient)) });
};

/** One object, a patient a line: whole, it would be longer than a text may be. */
async function* objectText(data: DataSet): AsyncGenerator<string> {
  const { generator, labels, database, cohort } = data;
  const codes = await database.rows<{ modality: string; code: string; title: string | null }>(
    'SELECT modality, code, title FROM dictionary ORDER BY number',
  );
  const head = { synthetic: true, generator, labels };
  yield `${JSON.stringify(head).slice(0, -1)},\n"codes":[\n${codes.map((code) => JSON.stringify(code)).join(',\n')}\n],\n"patients":[\n`;
  const numbers = dictionaryNumbers(cohort);
  for (let patient = 0; patient < patientCount(cohort); patient++)
    yield `${patient > 0 ? ',\n' : ''}${recordAt(data, numbers, patient)}`;
  yield '\n]}\n';
}

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
    `data = json.load(open('${file}'))`,
    "patients = data['patients']  # [{'visits': [[code, ...], ...], 'labels': [0, 1, ...]}, ...]",
    "index_to_code = {i: c['code'] for i, c in enumerate(data['codes'])}",
    "print(len(patients), 'patients;', data['labels'])",
    "print([[index_to_code[i] for i in visit] for visit in patients[0]['visits']])",
  ],
  files: () => [],
  extra: async (data) => ({ [file]: objectText(data) }),
  extraColumns: {
    [file]: [
      column('synthetic', 'true or false', 'always true'),
      column('generator', 'text', 'name of the generator'),
      column('labels', 'list of texts', 'names of the labels, in the order of those of a patient'),
      column(
        'codes',
        'list of {modality, code, title}',
        'what the numbers in the visits mean: the first is 0',
      ),
      column('patients', 'list of {visits, labels}', 'codes of each visit in time order; 0 or 1 per label'),
    ],
  },
});
