import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { splits } from '../../../schemas/ehr.ts';
import { type Database, fileLiteral, identifier, literal } from '../../kernel/duckdb.ts';
import {
  codeRange,
  type Demographic,
  labelCount,
  patientCount,
  type TokenCohort,
  visitRange,
} from '../../patients/visit-columns.ts';
import { firstIds, type InventedFacts, shortestNumber } from './invented-facts.ts';

/**
 * The tables that every layout selects from, in DuckDB's types. `events` has no gaps: they are the times of
 * visits. A code of `events` and `dictionary` is as in the source; a bucket token has the sampled `value`.
 */
const exportTables = {
  /** `birth` is NULL where no age was sampled, `filled_birth` then an invented day. */
  patients: {
    patient: 'INTEGER',
    subject_id: 'INTEGER',
    sex: 'VARCHAR',
    birth: 'TIMESTAMP',
    filled_birth: 'TIMESTAMP',
    death: 'TIMESTAMP',
    age: 'DOUBLE',
    ethnicity: 'VARCHAR',
    language: 'VARCHAR',
    marital_status: 'VARCHAR',
    split: 'VARCHAR',
  },
  /** `visit` counts over all patients, `visit_number` from 0 inside each. Both in order of `admitted`. */
  visits: {
    patient: 'INTEGER',
    visit: 'INTEGER',
    visit_number: 'INTEGER',
    hadm_id: 'INTEGER',
    icustay_id: 'INTEGER',
    admitted: 'TIMESTAMP',
    discharged: 'TIMESTAMP',
    admission_type: 'VARCHAR',
    insurance: 'VARCHAR',
    died: 'BOOLEAN',
  },
  /** `seq` counts from 1 inside a visit and modality. A code occurs once in a visit. */
  events: {
    visit: 'INTEGER',
    patient: 'INTEGER',
    modality: 'VARCHAR',
    code: 'VARCHAR',
    seq: 'INTEGER',
    time: 'TIMESTAMP',
    value: 'DOUBLE',
    unit: 'VARCHAR',
    title: 'VARCHAR',
  },
  /** A row per patient and label; `place` is the label's, from 0. */
  labels: { patient: 'INTEGER', place: 'INTEGER', label: 'VARCHAR', value: 'INTEGER' },
  /** Every code of the vocabulary once, `number` in its order, whether it occurs or not. */
  dictionary: {
    number: 'INTEGER',
    modality: 'VARCHAR',
    code: 'VARCHAR',
    title: 'VARCHAR',
    unit: 'VARCHAR',
  },
} as const;
type ExportTable = keyof typeof exportTables;

/** An event as it is staged: what `dictionary` has of its code is joined afterwards. */
const eventColumns = {
  visit: 'INTEGER',
  patient: 'INTEGER',
  number: 'INTEGER',
  seq: 'INTEGER',
  time: 'TIMESTAMP',
  value: 'DOUBLE',
  unit: 'VARCHAR',
};

type Row = Record<string, string | number | boolean | null>;

/** Columns that are times go through JSON as whole seconds. */
const fileType = (type: string): string => (type === 'TIMESTAMP' ? 'BIGINT' : type);
const typed = (column: string, type: string): string =>
  type === 'TIMESTAMP'
    ? `make_timestamp(${identifier(column)} * 1000000) AS ${identifier(column)}`
    : identifier(column);

const rowsPerChunk = 2048;

function* textOf(rows: Iterable<Row>): Generator<string> {
  let text = '';
  let count = 0;
  for (const row of rows) {
    text += `${JSON.stringify(row)}\n`;
    if (++count % rowsPerChunk !== 0) continue;
    yield text;
    text = '';
  }
  yield text;
}

/** Writes rows as lines of JSON, which hold any text and null apart from an empty one, and loads them. */
const fill = async (
  database: Database,
  scratch: string,
  table: string,
  schema: Record<string, string>,
  rows: Iterable<Row>,
) => {
  const file = join(scratch, `${table}.ndjson`);
  await pipeline(Readable.from(textOf(rows)), createWriteStream(file));
  const columns = Object.entries(schema);
  const types = columns.map(([name, type]) => `${literal(name)}: ${literal(fileType(type))}`).join(', ');
  await database.run(`CREATE TABLE ${table} AS SELECT ${columns.map(([name, type]) => typed(name, type)).join(', ')}
    FROM read_json(${fileLiteral(file)}, format = 'newline_delimited', columns = {${types}})`);
};

const textAt = (fact: Demographic | undefined, patient: number): string | null =>
  fact?.kind === 'categorical' ? (fact.levels[fact.values[patient] as number] ?? null) : null;
const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

function* patientRows(cohort: TokenCohort, facts: InventedFacts): Generator<Row> {
  const { sex, age, ethnicity, language, marital_status } = cohort.demographics ?? {};
  for (let patient = 0; patient < patientCount(cohort); patient++) {
    const years = age?.kind === 'numeric' ? (age.values[patient] as number) : Number.NaN;
    yield {
      patient,
      subject_id: firstIds.subject + patient,
      sex: textAt(sex, patient),
      birth: orNull(facts.birth[patient] as number),
      filled_birth: facts.filledBirth[patient] as number,
      death: orNull(facts.death[patient] as number),
      age: years >= 0 ? shortestNumber(years) : null,
      ethnicity: textAt(ethnicity, patient),
      language: textAt(language, patient),
      marital_status: textAt(marital_status, patient),
      split: splits[cohort.split?.[patient] ?? -1] ?? null,
    };
  }
}

function* visitRows(cohort: TokenCohort, facts: InventedFacts): Generator<Row> {
  const { admission_type, insurance } = cohort.demographics ?? {};
  for (let patient = 0; patient < patientCount(cohort); patient++) {
    const [first, end] = visitRange(cohort, patient);
    for (let visit = first; visit < end; visit++)
      yield {
        patient,
        visit,
        visit_number: visit - first,
        hadm_id: firstIds.admission + visit,
        icustay_id: firstIds.icuStay + visit,
        admitted: facts.admitted[visit] as number,
        discharged: facts.discharged[visit] as number,
        admission_type: textAt(admission_type, patient),
        insurance: textAt(insurance, patient),
        died: visit === end - 1 && !Number.isNaN(facts.death[patient]),
      };
  }
}

const keyOf = ({ modality, code }: TokenCohort['vocabulary']['codes'][number]): string =>
  `${modality}:${code}`;

/** Entry of the dictionary of each token, from 0 in the order of the vocabulary; -1 for gaps. */
export const dictionaryNumbers = ({ vocabulary }: TokenCohort): Int32Array => {
  const numbers = new Map<string, number>();
  return Int32Array.from(vocabulary.codes, (entry) => {
    if (entry.modality === 'gap') return -1;
    const number = numbers.get(keyOf(entry)) ?? numbers.size;
    numbers.set(keyOf(entry), number);
    return number;
  });
};

/** Events of a visit, one per code; of several buckets of one test the first that has a number stays. */
const eventsOf = (cohort: TokenCohort, facts: InventedFacts, visit: number, numbers: Int32Array): Row[] => {
  const { codes, values, vocabulary } = cohort;
  const found = new Map<number, Row>();
  const sequence = new Map<string, number>();
  const [from, end] = codeRange(cohort, visit);
  for (let i = from; i < end; i++) {
    const token = codes[i] as number;
    const number = numbers[token] as number;
    if (number < 0) continue;
    const { modality, bucket } = vocabulary.codes[token] as (typeof vocabulary.codes)[number];
    const value = orNull(shortestNumber(values?.[i] ?? Number.NaN, bucket?.decimals));
    const measured = { value, unit: value === null ? null : (bucket?.unit ?? null) };
    const known = found.get(number);
    if (known) {
      if (known['value'] === null) Object.assign(known, measured);
      continue;
    }
    const seq = (sequence.get(modality) ?? 0) + 1;
    sequence.set(modality, seq);
    found.set(number, { visit, number, seq, time: facts.times[i] as number, ...measured });
  }
  return [...found.values()];
};

function* eventRows(cohort: TokenCohort, facts: InventedFacts): Generator<Row> {
  const numbers = dictionaryNumbers(cohort);
  for (let patient = 0; patient < patientCount(cohort); patient++) {
    const [first, end] = visitRange(cohort, patient);
    for (let visit = first; visit < end; visit++)
      for (const row of eventsOf(cohort, facts, visit, numbers)) yield { ...row, patient };
  }
}

function* labelRows(cohort: TokenCohort): Generator<Row> {
  const width = labelCount(cohort);
  for (let i = 0; i < cohort.labels.length; i++)
    yield {
      patient: Math.floor(i / width),
      place: i % width,
      label: cohort.vocabulary.labels[i % width] as string,
      value: cohort.labels[i] as number,
    };
}

function* dictionaryRows(cohort: TokenCohort): Generator<Row> {
  const { vocabulary } = cohort;
  const rows: Row[] = [];
  dictionaryNumbers(cohort).forEach((number, token) => {
    if (number < 0) return;
    const { modality, code, title, bucket } = vocabulary.codes[token] as (typeof vocabulary.codes)[number];
    const known = rows[number];
    const named = { title: known?.['title'] ?? title ?? null, unit: known?.['unit'] ?? bucket?.unit ?? null };
    rows[number] = { number, modality, code, ...named };
  });
  yield* rows;
}

/**
 * Fills the tables of `exportTables` from a cohort, each in order of its first columns. `scratch` is a folder
 * that the database sees.
 */
export const stageTables = async (
  database: Database,
  scratch: string,
  cohort: TokenCohort,
  facts: InventedFacts,
): Promise<void> => {
  await mkdir(scratch, { recursive: true });
  const load = (table: ExportTable, rows: Iterable<Row>) =>
    fill(database, scratch, table, exportTables[table], rows);
  await load('patients', patientRows(cohort, facts));
  await load('visits', visitRows(cohort, facts));
  await load('labels', labelRows(cohort));
  await load('dictionary', dictionaryRows(cohort));
  await fill(database, scratch, 'staged_events', eventColumns, eventRows(cohort, facts));
  await database.run(`CREATE TABLE events AS SELECT ${Object.keys(exportTables.events).join(', ')} FROM (
    SELECT e.*, d.modality, d.code, d.title FROM staged_events e JOIN dictionary d USING (number))`);
  await database.run('DROP TABLE staged_events');
};
