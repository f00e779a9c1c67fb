import { literal } from '../../../kernel/duckdb.ts';
import { stageCodeNames } from '../code-names.ts';
import { markText } from '../companions.ts';
import { column, defineLayout, type LayoutFile, tableEnd } from '../layout.ts';

/** Concepts of the standard vocabularies that are used; all others are 0, which is OMOP's "no matching concept". */
const concepts = {
  female: 8532,
  male: 8507,
  white: 8527,
  black: 8516,
  asian: 8515,
  hispanic: 38003563,
  inpatient: 9201,
  /** "Standard algorithm from EHR": computed, not recorded. */
  algorithm: 32882,
  /** The CDM's version 5.4. */
  version: 756265,
} as const;

/** A cell of a table: name, DuckDB's type, SQL, meaning. */
type Cell = readonly [name: string, type: string, sql: string, meaning: string];

const empty = (type: string, ...names: string[]): Cell[] =>
  names.map((name) => [name, type, 'NULL', 'empty: not sampled']);
const noConcept = (...names: string[]): Cell[] =>
  names.map((name) => [name, 'INTEGER', '0', '0: no matching concept']);
const constant = (name: string, concept: keyof typeof concepts, meaning: string): Cell => [
  name,
  'INTEGER',
  String(concepts[concept]),
  meaning,
];
const type = (name: string) => constant(name, 'algorithm', 'computed from records, not recorded');

const table = (path: string, cells: readonly Cell[], from: string): LayoutFile => ({
  path,
  format: 'table',
  columns: cells.map(([name, kind, _sql, meaning]) => column(name, kind, meaning)),
  sql: `SELECT ${cells.map(([name, _kind, sql]) => `${sql} AS ${name}`).join(', ')} ${from}`,
});

const person: Cell = ['person_id', 'INTEGER', 'p.subject_id', 'identifier of the patient, invented'];
const dayAndTime = (prefix: string, sql: string, meaning: string): Cell[] => [
  [`${prefix}_date`, 'DATE', `CAST(${sql} AS DATE)`, meaning],
  [`${prefix}_datetime`, 'TIMESTAMP', sql, meaning],
];

const startsWith = (word: string) => `starts_with(upper(p.ethnicity), ${literal(word)})`;

const persons = table(
  'person',
  [
    person,
    [
      'gender_concept_id',
      'INTEGER',
      `CASE p.sex WHEN 'F' THEN ${concepts.female} WHEN 'M' THEN ${concepts.male} ELSE 0 END`,
      'of the sampled sex; 0: the model samples none',
    ],
    [
      'year_of_birth',
      'INTEGER',
      'year(p.filled_birth)',
      'of the sampled age, or invented where there is none',
    ],
    ['month_of_birth', 'INTEGER', 'month(p.birth)', 'of the sampled age'],
    ['day_of_birth', 'INTEGER', 'day(p.birth)', 'of the sampled age'],
    ['birth_datetime', 'TIMESTAMP', 'p.birth', 'of the sampled age; empty: the model samples none'],
    [
      'race_concept_id',
      'INTEGER',
      `CASE WHEN ${startsWith('WHITE')} THEN ${concepts.white} WHEN ${startsWith('BLACK')} THEN ${concepts.black}
        WHEN ${startsWith('ASIAN')} THEN ${concepts.asian} ELSE 0 END`,
      'where the sampled ethnicity names one; 0: not',
    ],
    [
      'ethnicity_concept_id',
      'INTEGER',
      `CASE WHEN ${startsWith('HISPANIC')} THEN ${concepts.hispanic} ELSE 0 END`,
      'Hispanic or Latino where the sampled ethnicity begins so; 0: not known',
    ],
    ...empty('INTEGER', 'location_id', 'provider_id', 'care_site_id'),
    [
      'person_source_value',
      'VARCHAR',
      'CAST(p.subject_id AS VARCHAR)',
      'identifier of the patient, invented',
    ],
    ['gender_source_value', 'VARCHAR', 'p.sex', 'sampled sex'],
    ...noConcept('gender_source_concept_id'),
    ['race_source_value', 'VARCHAR', 'p.ethnicity', 'sampled ethnicity'],
    ...noConcept('race_source_concept_id'),
    ['ethnicity_source_value', 'VARCHAR', 'p.ethnicity', 'sampled ethnicity'],
    ...noConcept('ethnicity_source_concept_id'),
  ],
  'FROM patients p ORDER BY p.subject_id',
);

const observationPeriods = table(
  'observation_period',
  [
    ['observation_period_id', 'INTEGER', 'row_number() OVER (ORDER BY p.subject_id)', 'counts up'],
    person,
    ['observation_period_start_date', 'DATE', 'CAST(min(v.admitted) AS DATE)', 'first admission'],
    ['observation_period_end_date', 'DATE', 'CAST(max(v.discharged) AS DATE)', 'last discharge'],
    type('period_type_concept_id'),
  ],
  'FROM patients p JOIN visits v USING (patient) GROUP BY p.subject_id ORDER BY p.subject_id',
);

const visit: Cell = ['visit_occurrence_id', 'INTEGER', 'v.hadm_id', 'identifier of the admission, invented'];

const visitOccurrences = table(
  'visit_occurrence',
  [
    visit,
    person,
    constant('visit_concept_id', 'inpatient', 'inpatient visit'),
    ...dayAndTime(
      'visit_start',
      'v.admitted',
      'admission, invented but for the days between two where sampled',
    ),
    ...dayAndTime('visit_end', 'v.discharged', 'discharge, invented'),
    type('visit_type_concept_id'),
    ...empty('INTEGER', 'provider_id', 'care_site_id'),
    ['visit_source_value', 'VARCHAR', 'v.admission_type', 'sampled type of the first admission'],
    ...noConcept('visit_source_concept_id', 'admitted_from_concept_id'),
    ...empty('VARCHAR', 'admitted_from_source_value'),
    ...noConcept('discharged_to_concept_id'),
    ['discharged_to_source_value', 'VARCHAR', "CASE WHEN v.died THEN 'DIED' END", 'DIED: in this stay'],
    [
      'preceding_visit_occurrence_id',
      'INTEGER',
      'lag(v.hadm_id) OVER (PARTITION BY v.patient ORDER BY v.visit_number)',
      'the stay before',
    ],
  ],
  'FROM visits v JOIN patients p USING (patient) ORDER BY v.visit',
);

const eventsOf = (modality: string) =>
  `FROM events e JOIN visits v USING (visit) JOIN patients p ON p.patient = e.patient
   WHERE e.modality = ${literal(modality)} ORDER BY e.visit, e.seq`;
const counted = (name: string): Cell => [
  name,
  'INTEGER',
  'row_number() OVER (ORDER BY e.visit, e.seq)',
  'counts up',
];
const source = (name: string): Cell => [
  name,
  'VARCHAR',
  'e.code',
  'code as in the source, ICD codes without the dot; source_to_concept_map has its vocabulary and title',
];

const conditions = table(
  'condition_occurrence',
  [
    counted('condition_occurrence_id'),
    person,
    ...noConcept('condition_concept_id'),
    ...dayAndTime('condition_start', 'e.time', 'discharge, invented'),
    ...empty('DATE', 'condition_end_date'),
    ...empty('TIMESTAMP', 'condition_end_datetime'),
    type('condition_type_concept_id'),
    ...noConcept('condition_status_concept_id'),
    ...empty('VARCHAR', 'stop_reason'),
    ...empty('INTEGER', 'provider_id'),
    visit,
    ...empty('INTEGER', 'visit_detail_id'),
    source('condition_source_value'),
    ...noConcept('condition_source_concept_id'),
    ...empty('VARCHAR', 'condition_status_source_value'),
  ],
  eventsOf('dx'),
);

const procedures = table(
  'procedure_occurrence',
  [
    counted('procedure_occurrence_id'),
    person,
    ...noConcept('procedure_concept_id'),
    ...dayAndTime('procedure', 'e.time', 'invented'),
    ...empty('DATE', 'procedure_end_date'),
    ...empty('TIMESTAMP', 'procedure_end_datetime'),
    type('procedure_type_concept_id'),
    ...noConcept('modifier_concept_id'),
    ...empty('INTEGER', 'quantity', 'provider_id'),
    visit,
    ...empty('INTEGER', 'visit_detail_id'),
    source('procedure_source_value'),
    ...noConcept('procedure_source_concept_id'),
    ...empty('VARCHAR', 'modifier_source_value'),
  ],
  eventsOf('px'),
);

const drugs = table(
  'drug_exposure',
  [
    counted('drug_exposure_id'),
    person,
    ...noConcept('drug_concept_id'),
    ...dayAndTime('drug_exposure_start', 'e.time', 'invented'),
    ...dayAndTime('drug_exposure_end', 'e.time', 'as the start: no duration is sampled'),
    ...empty('DATE', 'verbatim_end_date'),
    type('drug_type_concept_id'),
    ...empty('VARCHAR', 'stop_reason'),
    ...empty('INTEGER', 'refills'),
    ...empty('DOUBLE', 'quantity'),
    ...empty('INTEGER', 'days_supply'),
    ...empty('VARCHAR', 'sig'),
    ...noConcept('route_concept_id'),
    ...empty('VARCHAR', 'lot_number'),
    ...empty('INTEGER', 'provider_id'),
    visit,
    ...empty('INTEGER', 'visit_detail_id'),
    source('drug_source_value'),
    ...noConcept('drug_source_concept_id'),
    ...empty('VARCHAR', 'route_source_value', 'dose_unit_source_value'),
  ],
  eventsOf('rx'),
);

const measurements = table(
  'measurement',
  [
    counted('measurement_id'),
    person,
    ...noConcept('measurement_concept_id'),
    ...dayAndTime('measurement', 'e.time', 'invented'),
    ['measurement_time', 'VARCHAR', "strftime(e.time, '%H:%M:%S')", 'invented'],
    type('measurement_type_concept_id'),
    ...noConcept('operator_concept_id'),
    ['value_as_number', 'DOUBLE', 'e.value', 'sampled number, where the model samples numbers'],
    ...noConcept('value_as_concept_id', 'unit_concept_id'),
    ...empty('DOUBLE', 'range_low', 'range_high'),
    ...empty('INTEGER', 'provider_id'),
    visit,
    ...empty('INTEGER', 'visit_detail_id'),
    source('measurement_source_value'),
    ...noConcept('measurement_source_concept_id'),
    ['unit_source_value', 'VARCHAR', 'e.unit', 'unit of the number'],
    ...noConcept('unit_source_concept_id'),
    ['value_source_value', 'VARCHAR', 'CAST(e.value AS VARCHAR)', 'the number as text'],
    ...empty('INTEGER', 'measurement_event_id'),
    ...noConcept('meas_event_field_concept_id'),
  ],
  eventsOf('lab'),
);

const deaths = table(
  'death',
  [
    person,
    ...dayAndTime(
      'death',
      'p.death',
      'day of the last discharge, where the model samples that the patient died',
    ),
    type('death_type_concept_id'),
    ...noConcept('cause_concept_id'),
    ...empty('VARCHAR', 'cause_source_value'),
    ...noConcept('cause_source_concept_id'),
  ],
  'FROM patients p WHERE p.death IS NOT NULL ORDER BY p.subject_id',
);

const sourceCodes = table(
  'source_to_concept_map',
  [
    ['source_code', 'VARCHAR', 'd.code', 'code as in the *_source_value columns'],
    ...noConcept('source_concept_id'),
    [
      'source_vocabulary_id',
      'VARCHAR',
      "coalesce(n.system, 'SOURCE_' || upper(d.modality))",
      "OMOP's name of the vocabulary; SOURCE_…: a text or number of the source's own",
    ],
    ['source_code_description', 'VARCHAR', 'd.title', 'title, where one is known'],
    ...noConcept('target_concept_id'),
    ['target_vocabulary_id', 'VARCHAR', "'None'", 'None: there is no mapping'],
    ['valid_start_date', 'DATE', "DATE '1970-01-01'", 'always'],
    ['valid_end_date', 'DATE', "DATE '2099-12-31'", 'always'],
    ...empty('VARCHAR', 'invalid_reason'),
  ],
  'FROM dictionary d JOIN code_names n ON n.modality = d.modality AND n.code = d.code ORDER BY d.number',
);

const cdmSource = (generator: string): LayoutFile =>
  table(
    'cdm_source',
    [
      ['cdm_source_name', 'VARCHAR', literal(`synthetic patients of ${generator}`), 'name'],
      ['cdm_source_abbreviation', 'VARCHAR', "'SYNTHETIC'", 'short name'],
      ['cdm_holder', 'VARCHAR', "'see README.md'", 'who answers for it'],
      ['source_description', 'VARCHAR', literal(markText), 'what it is'],
      ['source_documentation_reference', 'VARCHAR', "'README.md'", 'where it is described'],
      ['cdm_etl_reference', 'VARCHAR', "'understudy export'", 'what wrote it'],
      ['source_release_date', 'DATE', "DATE '1970-01-01'", 'not a date: equal cohorts give equal bytes'],
      ['cdm_release_date', 'DATE', "DATE '1970-01-01'", 'not a date: equal cohorts give equal bytes'],
      ['cdm_version', 'VARCHAR', "'5.4'", 'version of the tables'],
      constant('cdm_version_concept_id', 'version', 'version of the tables'),
      ['vocabulary_version', 'VARCHAR', "'none'", 'no vocabulary is mapped'],
    ],
    '',
  );

const cohortsOf = (labels: readonly string[]): LayoutFile[] => {
  if (labels.length === 0) return [];
  const numbers = labels.map((label, i) => `(${i + 1}, ${literal(label)})`).join(', ');
  const definitions = `(VALUES ${numbers}) AS n(number, label)`;
  const id: Cell = ['cohort_definition_id', 'INTEGER', 'n.number', 'number of the label, from 1'];
  return [
    table(
      'cohort_definition',
      [
        id,
        ['cohort_definition_name', 'VARCHAR', 'n.label', 'name of the label'],
        [
          'cohort_definition_description',
          'VARCHAR',
          "'label of a synthetic patient: at any visit'",
          'what it means',
        ],
        ...noConcept('definition_type_concept_id'),
        ...empty('VARCHAR', 'cohort_definition_syntax'),
        ...noConcept('subject_concept_id'),
        ...empty('DATE', 'cohort_initiation_date'),
      ],
      `FROM ${definitions} ORDER BY n.number`,
    ),
    table(
      'cohort',
      [
        id,
        ['subject_id', 'INTEGER', 'p.subject_id', 'person_id of a patient with the label'],
        ['cohort_start_date', 'DATE', 'CAST(min(v.admitted) AS DATE)', 'first admission'],
        ['cohort_end_date', 'DATE', 'CAST(max(v.discharged) AS DATE)', 'last discharge'],
      ],
      `FROM ${definitions} JOIN labels l ON l.label = n.label AND l.value = 1 JOIN patients p USING (patient)
       JOIN visits v USING (patient) GROUP BY n.number, p.subject_id ORDER BY n.number, p.subject_id`,
    ),
  ];
};

/** Source: OHDSI/CommonDataModel, inst/ddl/5.4/duckdb. */
export default defineLayout({
  name: 'omop',
  title: 'OMOP Common Data Model 5.4',
  reader: 'a database with the OMOP CDM and the tools of OHDSI',
  formats: ['csv', 'parquet'],
  loses: [
    'standard concepts of codes: no vocabulary is mapped, each has concept 0 and its code as source value',
    "the limit of 50 characters for a source value: longer codes stay whole, and a database with OMOP's own limits refuses them",
    'language, marital status and insurance',
    'observation periods and labels of patients without visits',
  ],
  invents: [
    'Every visit is an inpatient stay.',
    'A drug ends when it starts.',
    'Where the model samples no age, `year_of_birth`, which OMOP requires, is invented and `birth_datetime` is empty.',
  ],
  example: (format = 'csv') => {
    const end = tableEnd(format);
    const reader = format === 'csv' ? 'read_csv' : 'read_parquet';
    const text = (column: string) => (format === 'csv' ? `, dtype={'${column}': str}` : '');
    return [
      'import pandas as pd',
      `persons = pd.${reader}('person${end}')`,
      `conditions = pd.${reader}('condition_occurrence${end}'${text('condition_source_value')})`,
      `codes = pd.${reader}('source_to_concept_map${end}'${text('source_code')})`,
      "print(persons['gender_source_value'].value_counts(dropna=False))",
      "titles = codes[codes['source_vocabulary_id'].isin(['ICD9CM', 'ICD10CM', 'SOURCE_DX'])].set_index('source_code')['source_code_description']",
      "print(conditions['condition_source_value'].value_counts().head(10).to_frame().join(titles))",
    ];
  },
  files: async ({ database, generator, labels }) => {
    await stageCodeNames(database);
    return [
      persons,
      observationPeriods,
      visitOccurrences,
      conditions,
      procedures,
      drugs,
      measurements,
      deaths,
      ...cohortsOf(labels),
      sourceCodes,
      cdmSource(generator),
    ];
  },
  lost: {
    'codes are longer than 50 characters': 'SELECT count(*) AS n FROM dictionary WHERE length(code) > 50',
  },
});
