import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { TokenCohort } from '../../../../pipelines/patients/visit-columns.ts';
import { exportTo, hardCodes, plainCodes, randomCohort, recordsIn } from './cohorts.ts';
import { exportPlaces, queries, type Row } from './read-back.ts';

type Query = (sql: string) => Promise<Row[]>;

const eventTables = {
  dx: 'condition_occurrence',
  px: 'procedure_occurrence',
  rx: 'drug_exposure',
  lab: 'measurement',
} as const;
const sourceValue = {
  dx: 'condition_source_value',
  px: 'procedure_source_value',
  rx: 'drug_source_value',
  lab: 'measurement_source_value',
} as const;

/** Identifier of each table, where it has one. */
const identifiers = {
  person: 'person_id',
  observation_period: 'observation_period_id',
  visit_occurrence: 'visit_occurrence_id',
  condition_occurrence: 'condition_occurrence_id',
  procedure_occurrence: 'procedure_occurrence_id',
  drug_exposure: 'drug_exposure_id',
  measurement: 'measurement_id',
  death: 'person_id',
  cohort_definition: 'cohort_definition_id',
} as const;

/** Every concept that a table may name without a vocabulary. */
const knownConcepts = [0, 8507, 8532, 8527, 8516, 8515, 38003563, 9201, 32882, 756265];

/** Tables of an export as views of their names, opened as any other program would. */
const openTables = async (query: Query, folder: string, files: readonly string[]): Promise<string[]> => {
  const tables = files.filter((file) => /\.(csv\.gz|parquet)$/.test(file));
  for (const file of tables) {
    const name = file.replace(/\..*$/, '');
    const path = join(folder, file);
    const from = file.endsWith('.parquet') ? `'${path}'` : `read_csv('${path}', all_varchar = true)`;
    await query(`CREATE VIEW "${name}" AS SELECT * FROM ${from}`);
  }
  return tables.map((file) => file.replace(/\..*$/, ''));
};

/** The records of `recordsIn`, by SQL alone, of patients and visits that have codes or not. */
const recordsOf = async (query: Query, unsafe: (text: string) => string): Promise<string[][][]> => {
  const events = Object.entries(eventTables).map(
    ([modality, table]) =>
      `SELECT visit_occurrence_id, '${modality}' AS modality, ${sourceValue[modality as 'dx']} AS code FROM ${table}`,
  );
  const rows =
    await query(`SELECT CAST(p.person_id AS INTEGER) AS person, v.visit_occurrence_id AS visit, e.modality, e.code
    FROM person p LEFT JOIN visit_occurrence v USING (person_id) LEFT JOIN (${events.join(' UNION ALL ')}) e
    ON e.visit_occurrence_id = v.visit_occurrence_id ORDER BY person, v.visit_start_datetime`);
  const persons = new Map<unknown, Map<unknown, string[]>>();
  for (const { person, visit, modality, code } of rows) {
    const visits = persons.get(person) ?? new Map<unknown, string[]>();
    persons.set(person, visits);
    if (visit === null) continue;
    const codes = visits.get(visit) ?? [];
    visits.set(visit, codes);
    if (code !== null) codes.push(`${modality}:${unsafe(String(code))}`);
  }
  return [...persons.values()].map((visits) => [...visits.values()].map((codes) => codes.sort()));
};

/** Text of a cell as `safeCell` wrote it. */
const unsafeCell = (text: string): string => (/^'+[=+\-@\t\r\n']/.test(text) ? text.slice(1) : text);

for (const format of ['parquet', 'csv'] as const)
  test(`omop ${format}: the tables hold the same records, with empty visits and patients without visits`, async (t) => {
    for (let seed = 0; seed < 4; seed++) {
      const { folder, scratch } = await exportPlaces(t);
      const query = await queries(t);
      const cohort = randomCohort(seed, {
        patients: 2 + 5 * seed,
        codes: seed % 2 ? hardCodes : plainCodes,
        demographics: seed % 2 === 0,
        empty: true,
      });
      const { files } = await exportTo(folder, scratch, 'omop', { cohort, format });
      await openTables(query, folder, files.slice(0, -4));
      t.deepEqual(
        await recordsOf(query, format === 'csv' ? unsafeCell : String),
        recordsIn(cohort),
        `seed ${seed}`,
      );
    }
  });

const labelled = (cohort: TokenCohort, label: number): number =>
  cohort.labels.filter((value, i) => i % cohort.vocabulary.labels.length === label && value === 1).length;

test('omop: identifiers are unique, every key is found, no concept is invented, dates are in order', async (t) => {
  const { folder, scratch } = await exportPlaces(t);
  const query = await queries(t);
  const number = async (sql: string) => Number(Object.values((await query(sql))[0] ?? {})[0]);
  const cohort = randomCohort(11, {
    patients: 60,
    codes: plainCodes,
    labels: ['Sepsis', 'Gout'],
    demographics: true,
  });
  const { files } = await exportTo(folder, scratch, 'omop', { cohort, format: 'parquet' });
  const tables = await openTables(query, folder, files.slice(0, -4));
  for (const [table, id] of Object.entries(identifiers))
    t.is(await number(`SELECT count(*) - count(DISTINCT ${id}) FROM ${table}`), 0, table);
  for (const table of tables) {
    const columns = (await query(`DESCRIBE "${table}"`)).map(({ column_name }) => String(column_name));
    const orphans = async (column: string, parent: string, key: string) =>
      columns.includes(column)
        ? number(
            `SELECT count(*) FROM "${table}" WHERE ${column} IS NOT NULL AND ${column} NOT IN (SELECT ${key} FROM ${parent})`,
          )
        : 0;
    t.is(await orphans('person_id', 'person', 'person_id'), 0, table);
    t.is(await orphans('subject_id', 'person', 'person_id'), 0, table);
    t.is(await orphans('visit_occurrence_id', 'visit_occurrence', 'visit_occurrence_id'), 0, table);
    t.is(await orphans('preceding_visit_occurrence_id', 'visit_occurrence', 'visit_occurrence_id'), 0, table);
    t.is(await orphans('cohort_definition_id', 'cohort_definition', 'cohort_definition_id'), 0, table);
    for (const column of columns.filter((name) => name.endsWith('_concept_id')))
      t.is(
        await number(
          `SELECT count(*) FROM "${table}" WHERE ${column} IS NOT NULL AND ${column} NOT IN (${knownConcepts.join(', ')})`,
        ),
        0,
        `${table}.${column}`,
      );
  }
  for (const [modality, table] of Object.entries(eventTables))
    t.is(
      await number(`SELECT count(*) FROM ${table} WHERE ${sourceValue[modality as 'dx']} NOT IN
        (SELECT source_code FROM source_to_concept_map)`),
      0,
      table,
    );
  t.is(
    await number(`SELECT count(*) FROM condition_occurrence JOIN visit_occurrence USING (visit_occurrence_id, person_id)
      JOIN observation_period USING (person_id)
      WHERE condition_start_datetime BETWEEN visit_start_datetime AND visit_end_datetime
        AND condition_start_date BETWEEN observation_period_start_date AND observation_period_end_date`),
    await number('SELECT count(*) FROM condition_occurrence'),
  );
  for (const label of [0, 1])
    t.is(
      await number(`SELECT count(*) FROM cohort WHERE cohort_definition_id = ${label + 1}`),
      labelled(cohort, label),
    );
  const [source] = await query('SELECT * FROM cdm_source');
  t.like(source, { cdm_source_abbreviation: 'SYNTHETIC', cdm_version: '5.4' });
});

test('omop: sexes, births and ethnicities get a concept where they were sampled, 0 elsewhere', async (t) => {
  for (const demographics of [true, false]) {
    const { folder, scratch } = await exportPlaces(t);
    const query = await queries(t);
    const cohort = randomCohort(3, { patients: 50, codes: plainCodes, demographics });
    const { files } = await exportTo(folder, scratch, 'omop', { cohort, format: 'parquet' });
    await openTables(query, folder, files.slice(0, -4));
    const rows = await query('SELECT * FROM person ORDER BY person_id');
    const { sex, ethnicity, age } = cohort.demographics ?? {};
    const level = (fact: typeof sex, i: number) =>
      fact?.kind === 'categorical' ? (fact.levels[fact.values[i] as number] ?? null) : null;
    const concepts: Record<string, number> = {
      F: 8532,
      M: 8507,
      ASIAN: 8515,
      'BLACK/AFRICAN AMERICAN': 8516,
    };
    rows.forEach((row, i) => {
      t.is(row['gender_source_value'], level(sex, i));
      t.is(row['gender_concept_id'], concepts[level(sex, i) ?? ''] ?? 0);
      t.is(row['race_source_value'], level(ethnicity, i));
      t.is(row['race_concept_id'], concepts[level(ethnicity, i) ?? ''] ?? 0);
      const isKnown = age?.kind === 'numeric' && !Number.isNaN(age.values[i]);
      t.is(row['birth_datetime'] === null, !isKnown);
      t.true(Number(row['year_of_birth']) > 2000);
    });
  }
});

test('a death in hospital is in OMOP, MEDS and FHIR at the last discharge of that patient, and of no other', async (t) => {
  const cohort = randomCohort(4, { patients: 6, codes: plainCodes });
  cohort.demographics = { died_in_hospital: { kind: 'numeric', values: Float32Array.of(0, 1, 0, 0, 1, 0) } };
  const query = await queries(t);
  const { folder, scratch } = await exportPlaces(t);
  const write = async (layout: string) => {
    await mkdir(join(folder, layout));
    await exportTo(join(folder, layout), join(scratch, layout), layout, { cohort });
  };
  for (const layout of ['omop', 'meds', 'fhir']) await write(layout);
  const places = {
    omop: `SELECT person_id AS patient, CAST(death_datetime AS VARCHAR) AS at FROM '${join(folder, 'omop/death.csv.gz')}'`,
    meds: `SELECT subject_id AS patient, CAST(time AS VARCHAR) AS at FROM '${join(folder, 'meds/data/train/0.parquet')}'
      WHERE code = 'MEDS_DEATH'`,
    fhir: `SELECT CAST(id AS INTEGER) AS patient, replace(deceasedDateTime[:19], 'T', ' ') AS at
      FROM read_json('${join(folder, 'fhir/Patient.ndjson')}', columns = {id: 'VARCHAR', deceasedDateTime: 'VARCHAR'})
      WHERE deceasedDateTime IS NOT NULL`,
  };
  const last = await query(`SELECT person_id AS patient, CAST(max(visit_end_datetime) AS VARCHAR) AS at
    FROM '${join(folder, 'omop/visit_occurrence.csv.gz')}' GROUP BY person_id ORDER BY person_id`);
  const expected = [last[1], last[4]].map((row) => ({ patient: Number(row?.['patient']), at: row?.['at'] }));
  for (const [layout, sql] of Object.entries(places)) {
    const found = await query(`${sql} ORDER BY patient`);
    t.deepEqual(
      found.map(({ patient, at }) => ({ patient: Number(patient), at })),
      expected,
      layout,
    );
  }
});
