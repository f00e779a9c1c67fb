import type { Database } from '../../kernel/duckdb.ts';
import { gather, Int32Gatherer } from '../../patients/query-columns.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import type { OutsideCode } from './outside-cohort.ts';
import { CodeNumbers } from './own-vocabulary.ts';

/** Events in SQL, and what their codes mean. */
export interface EventRows {
  /**
   * Relation with columns `patient`, `visit` (both of a type that sorts; visits in time order) and `code`
   * (text), a row per code of a visit. No code: the visit is empty. No visit: the patient has none.
   */
  relation: string;
  /** SQL over the relation that gives the text to be read by `meaning`; default the column `code`. */
  codeText?: string;
  /** Undefined leaves all events of that text out, and patients and visits that have no other. */
  meaning(text: string): OutsideCode | undefined;
  /** SQL over the relation: 0 or 1 per row; a patient has the label when any row has. */
  labels?: string[];
}

export interface EventColumns {
  columns: VisitColumns;
  codes: OutsideCode[];
  /** Texts without a meaning, and how many events each stands for. */
  left: { text: string; events: number }[];
}

/** Patients in order of what all identifiers are (numbers or text): the same in every format. */
const patientTable = `CREATE TABLE patient AS
  SELECT patient, CAST(row_number() OVER (
      ORDER BY CASE WHEN numeric THEN TRY_CAST(patient AS HUGEINT) END, CAST(patient AS VARCHAR)) - 1 AS INTEGER) AS p
  FROM (SELECT patient, bool_and(TRY_CAST(patient AS HUGEINT) IS NOT NULL) OVER () AS numeric
    FROM (SELECT DISTINCT patient FROM kept))`;

const readMeanings = async (database: Database, { relation, codeText = 'code', meaning }: EventRows) => {
  const texts = await database.rows<{ text: string; events: number }>(
    `SELECT ${codeText} AS text, count(*) AS events FROM ${relation} WHERE code IS NOT NULL GROUP BY 1 ORDER BY 1`,
  );
  const numbers = new CodeNumbers();
  const numberOf = new Map<string, number>();
  const left: EventColumns['left'] = [];
  for (const row of texts) {
    const code = meaning(row.text);
    if (code) numberOf.set(row.text, numbers.of(code));
    else left.push(row);
  }
  const { codes, tokenOf } = numbers.sorted();
  const tokens = [...numberOf].map(([text, number]) => [text, tokenOf[number] as number] as const);
  await database.run('CREATE TABLE meaning (text VARCHAR, token INTEGER)');
  await database.append('meaning', tokens);
  return { codes, left };
};

const columnOf = async (database: Database, sql: string): Promise<Int32Array> => {
  const gatherer = new Int32Gatherer();
  await gather(database, sql, [gatherer]);
  return gatherer.finish();
};

/** Offsets of `groups` groups whose members are listed in order, one entry each. */
const offsetsOf = (members: Int32Array, groups: number): Int32Array => {
  const offsets = new Int32Array(groups + 1);
  for (const group of members) offsets[group + 1] = (offsets[group + 1] as number) + 1;
  for (let group = 0; group < groups; group++)
    offsets[group + 1] = (offsets[group + 1] as number) + (offsets[group] as number);
  return offsets;
};

const readVisits = async (database: Database): Promise<Omit<VisitColumns, 'labels'>> => {
  const [{ patients = 0 } = {}] = await database.rows<{ patients: number }>(
    'SELECT count(*) AS patients FROM patient',
  );
  await database.run(`CREATE TABLE visit AS
    SELECT p, visit, CAST(row_number() OVER (ORDER BY p, visit) - 1 AS INTEGER) AS v
    FROM (SELECT DISTINCT p, visit FROM kept JOIN patient USING (patient) WHERE visit IS NOT NULL)`);
  const owners = await columnOf(database, 'SELECT p FROM visit ORDER BY v');
  const [visits, tokens] = [new Int32Gatherer(), new Int32Gatherer()];
  await gather(
    database,
    `SELECT v, token FROM kept JOIN patient USING (patient) JOIN visit USING (p, visit)
     WHERE token IS NOT NULL ORDER BY v, token`,
    [visits, tokens],
  );
  return {
    visitOffsets: offsetsOf(owners, patients),
    codeOffsets: offsetsOf(visits.finish(), owners.length),
    codes: tokens.finish(),
  };
};

const readLabels = async (database: Database, relation: string, labels: string[]): Promise<Uint8Array> => {
  if (labels.length === 0) return new Uint8Array(0);
  const gatherers = labels.map(() => new Int32Gatherer());
  const sums = labels.map((label) => `max(CAST(${label} AS INTEGER))`).join(', ');
  await gather(
    database,
    `SELECT ${sums} FROM ${relation} JOIN patient USING (patient) GROUP BY p ORDER BY p`,
    gatherers,
  );
  const columns = gatherers.map((gatherer) => gatherer.finish());
  const patients = columns[0]?.length ?? 0;
  const width = labels.length;
  return Uint8Array.from(
    { length: patients * width },
    (_, i) => (columns[i % width] as Int32Array)[Math.floor(i / width)] as number,
  );
};

/**
 * A long table as columns; DuckDB groups and sorts out of core. Makes the tables `meaning`, `kept`,
 * `patient`, `visit` in the database: once per reading.
 */
export const readEventRows = async (database: Database, events: EventRows): Promise<EventColumns> => {
  const { relation, codeText = 'code', labels = [] } = events;
  const { codes, left } = await readMeanings(database, events);
  await database.run(`CREATE TABLE kept AS
    SELECT DISTINCT patient, visit, token FROM (SELECT patient, visit, code, ${codeText} AS text FROM ${relation})
    LEFT JOIN meaning USING (text) WHERE token IS NOT NULL OR code IS NULL`);
  await database.run(patientTable);
  const visits = await readVisits(database);
  return { columns: { ...visits, labels: await readLabels(database, relation, labels) }, codes, left };
};
