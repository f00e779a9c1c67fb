import { existsSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { type Split, splits, type TokenKind } from '../../../schemas/ehr.ts';
import { type Database, fileLiteral, identifier, literal } from '../../kernel/duckdb.ts';
import { gather, Int32Gatherer } from '../../patients/query-columns.ts';
import { emptySql } from '../../sources/cells.ts';
import { medsCode, medsPrefix } from './code-systems.ts';
import { type EventColumns, readEventRows } from './event-rows.ts';
import {
  type CohortLayout,
  hasColumns,
  malformed,
  namesText,
  type OutsideCode,
  type Place,
  type ReadTools,
} from './outside-cohort.ts';
import { parquetReader } from './survey.ts';
import { checkIdentifierType, refuseControls, refuseRows } from './table-checks.ts';

const visitColumns = ['hadm_id', 'visit_id', 'visit_occurrence_id', 'encounter_id'];
/** A share of patients that may be lost with a note; more is refused. */
const mostLost = 0.05;
const splitNames: Record<string, Split> = { train: 'train', tuning: 'validation', held_out: 'holdout' };

// `epoch_us` reads times with a zone without the extension that a cast of them needs.
const timeSql = ({ columns }: Place): string =>
  columns.get('time')?.includes('ZONE') ? 'make_timestamp(epoch_us("time"))' : 'CAST("time" AS TIMESTAMP)';

const eventView = (place: Place, visit: string | undefined): string => `CREATE VIEW event AS
  SELECT CAST(subject_id AS VARCHAR) AS patient, ${timeSql(place)} AS moment, CAST(code AS VARCHAR) AS code,
    ${visit === undefined ? 'NULL' : `CAST(${identifier(visit)} AS VARCHAR)`} AS visit_id FROM ${place.reader}`;

/**
 * Visits by their column: from first to last event, in that order. An event without one falls to the stay of
 * its day.
 */
const byColumn = [
  `CREATE TABLE stay AS SELECT *, row_number() OVER (PARTITION BY patient ORDER BY first, visit_id) AS visit
    FROM (SELECT patient, visit_id, min(moment) AS first, CAST(max(moment) AS DATE) AS last FROM event
      WHERE visit_id IS NOT NULL AND moment IS NOT NULL GROUP BY patient, visit_id)`,
  `CREATE VIEW placed AS
    SELECT e.patient, s.visit, e.code FROM event e JOIN stay s USING (patient, visit_id) WHERE e.moment IS NOT NULL
    UNION ALL
    SELECT e.patient, s.visit, e.code
    FROM (SELECT *, CAST(moment AS DATE) AS day FROM event WHERE visit_id IS NULL AND moment IS NOT NULL) e
    ASOF JOIN (SELECT *, CAST(first AS DATE) AS day FROM stay) s ON e.patient = s.patient AND e.day >= s.day
    WHERE e.day <= s.last`,
  `CREATE VIEW unplaced AS SELECT e.patient, e.code FROM event e
    WHERE e.visit_id IS NULL AND e.moment IS NOT NULL AND NOT EXISTS (SELECT 1 FROM stay s
      WHERE s.patient = e.patient AND CAST(e.moment AS DATE) BETWEEN CAST(s.first AS DATE) AND s.last)`,
];
const byDay = [
  'CREATE VIEW placed AS SELECT patient, CAST(moment AS DATE) AS visit, code FROM event WHERE moment IS NOT NULL',
];

const visitColumnOf = async (place: Place, { database }: ReadTools): Promise<string | undefined> => {
  const column = visitColumns.find((name) => place.columns.has(name));
  if (column === undefined) return undefined;
  const [found] = await database.rows<{ rows: number }>(
    `SELECT count(${identifier(column)}) AS rows FROM ${place.reader}`,
  );
  return found && found.rows > 0 ? column : undefined;
};

const metadataFile = ({ path, kind }: Place, file: string): string | undefined => {
  const found = join(path, 'metadata', file);
  return kind === 'folder' && existsSync(found) ? found : undefined;
};

const readTitles = async (place: Place, { database }: ReadTools): Promise<Map<string, string>> => {
  const file = metadataFile(place, 'codes.parquet');
  if (file === undefined) return new Map();
  const rows = await database
    .rows<{ code: string; title: string }>(
      `SELECT CAST(code AS VARCHAR) AS code, CAST(description AS VARCHAR) AS title FROM read_parquet(${fileLiteral(file)})
       WHERE code IS NOT NULL AND nullif(CAST(description AS VARCHAR), '') IS NOT NULL ORDER BY code`,
    )
    .catch(() => {
      throw malformed(`${place.name}: metadata/codes.parquet should have the columns code and description`);
    });
  return new Map(rows.map(({ code, title }) => [code, title]));
};

/** Table `subject_split`: the splits of a MEDS dataset by metadata/subject_splits.parquet. */
const splitsOfMetadata = (file: string): string => `CREATE TABLE subject_split AS
  SELECT DISTINCT CAST(subject_id AS VARCHAR) AS patient, lower(trim(CAST(split AS VARCHAR))) AS split
  FROM read_parquet(${fileLiteral(file)})`;

/** Per shard, the folder of `data` that it lies in (`data/held_out/0.parquet`). */
const shardFolders = ({ path, tables }: Place): string[] =>
  tables.map((table) => relative(join(path, 'data'), table).split(sep)[0]?.toLowerCase() ?? '');

/** The same by the folders of the shards, where there is no such file. */
const splitsOfFolders = (place: Place): string => {
  const folders = shardFolders(place);
  const cases = place.tables.map(
    (table, i) => `WHEN ${literal(table)} THEN ${literal(folders[i] as string)}`,
  );
  return `CREATE TABLE subject_split AS SELECT DISTINCT CAST(subject_id AS VARCHAR) AS patient,
    CASE filename ${cases.join(' ')} END AS split FROM ${parquetReader(place.tables, { filename: true })}`;
};

/** Whether folders alone tell patients apart: several, and at least one named as a split. */
const liesInSplits = (place: Place): boolean => {
  const folders = new Set(shardFolders(place));
  return (
    place.kind === 'folder' && folders.size > 1 && Object.keys(splitNames).some((name) => folders.has(name))
  );
};

/** Throws SourceMalformed where a split is none of MEDS's, or a patient has none or several. */
const checkSplit = async (database: Database, name: string, where: string): Promise<void> => {
  const names = await database.rows<{ split: string | null }>(
    'SELECT DISTINCT split FROM subject_split ORDER BY split',
  );
  const known = Object.keys(splitNames);
  const strange = names.map(({ split }) => split ?? '').filter((split) => !known.includes(split));
  if (strange.length > 0)
    throw malformed(
      `${name}: ${where} names the splits ${namesText(strange)}; MEDS has ${known.join(', ')}. Rename them: ` +
        'patients of an unknown split would count as training patients',
    );
  const [found] = await database.rows<{ without: number; several: number }>(
    `SELECT count(*) FILTER (n = 0) AS without, count(*) FILTER (n > 1) AS several FROM (
       SELECT patient, count(split) AS n FROM patient LEFT JOIN subject_split USING (patient) GROUP BY patient)`,
  );
  if (found && found.without > 0)
    throw malformed(`${name}: ${where} gives no split for ${found.without} of the patients. Add them`);
  if (found && found.several > 0)
    throw malformed(
      `${name}: ${where} gives more than one split for ${found.several} patients. Leave one each`,
    );
};

/** Split of each patient in order; undefined where the dataset has no splits. Throws SourceMalformed. */
const readSplit = async (place: Place, { database }: ReadTools): Promise<Uint8Array | undefined> => {
  const file = metadataFile(place, 'subject_splits.parquet');
  if (file === undefined && !liesInSplits(place)) return undefined;
  const where = file === undefined ? 'the folders of data' : 'metadata/subject_splits.parquet';
  await database.run(file === undefined ? splitsOfFolders(place) : splitsOfMetadata(file)).catch(() => {
    throw malformed(`${place.name}: ${where} should have the columns subject_id and split`);
  });
  await checkSplit(database, place.name, where);
  const cases = Object.entries(splitNames).map(
    ([name, split]) => `WHEN ${literal(name)} THEN ${splits.indexOf(split)}`,
  );
  const gatherer = new Int32Gatherer();
  await gather(
    database,
    `SELECT CASE split ${cases.join(' ')} END FROM patient JOIN subject_split USING (patient) ORDER BY p`,
    [gatherer],
  );
  return Uint8Array.from(gatherer.finish());
};

/**
 * What falls out because no visit holds it: events of known codes without a visit id and outside every stay
 * of their patient. Returns a note, or undefined where nothing is lost. Throws SourceMalformed where more
 * than `mostLost` of the patients have no other events.
 */
const lostWithoutVisit = async (
  place: Place,
  column: string,
  meaning: (text: string) => OutsideCode | undefined,
  { database, inWords }: ReadTools,
): Promise<string | undefined> => {
  const texts = await database.rows<{ code: string }>('SELECT DISTINCT code FROM unplaced ORDER BY code');
  const known = texts.filter(({ code }) => meaning(code)).map(({ code }) => [code] as const);
  if (known.length === 0) return undefined;
  await database.run('CREATE TABLE known_text (code VARCHAR)');
  await database.append('known_text', known);
  const [lost] = await database.rows<{ events: number; patients: number; kept: number }>(
    `SELECT count(*) AS events, count(DISTINCT u.patient) FILTER (p.p IS NULL) AS patients,
       (SELECT count(*) FROM patient) AS kept
     FROM unplaced u JOIN known_text USING (code) LEFT JOIN patient p USING (patient)`,
  );
  if (!lost || lost.events === 0) return undefined;
  const all = lost.kept + lost.patients;
  if (lost.patients > mostLost * all)
    throw malformed(
      `${place.name}: ${lost.patients} of ${all} patients have no event with a ${column}, and would be left out. Fill ` +
        `the column, or leave it out of all files: then every calendar day of a patient is one visit`,
    );
  return `left out for want of a visit: ${inWords(lost.events)} events, and ${inWords(lost.patients)} patients who have no others`;
};

const byPrefix = (left: EventColumns['left']): string => {
  const counts = new Map<string, number>();
  for (const { text, events } of left) {
    const prefix = medsPrefix(text);
    counts.set(prefix, (counts.get(prefix) ?? 0) + events);
  }
  const order = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  const shown = order.slice(0, 8).map(([prefix, events]) => `${prefix} ${events}`);
  return `${shown.join(', ')}${order.length > 8 ? `, and ${order.length - 8} more` : ''}`;
};

const howVisits = (visit: string | undefined): string =>
  visit === undefined
    ? 'there is no visit column, so every calendar day of a patient is one visit'
    : `visits are those of column ${visit}; events without one fall to the stay that covers their day, or are left out`;

const needed = ['subject_id', 'time', 'code'];

/**
 * Medical Event Data Standard: a row per event with subject, time and code. Events that are not diagnoses,
 * procedures, drugs or lab tests make neither visits nor patients. Source: Medical-Event-Data-Standard/meds,
 * README.
 */
export const medsLayout: CohortLayout = {
  name: 'meds',
  about: 'a MEDS dataset: data/**/*.parquet (or one such file) with columns subject_id, time, code',
  columns: needed,
  recognizes: (place) => hasColumns(place, needed),
  async read(place, tools) {
    const { database } = tools;
    const modalities: readonly TokenKind[] = tools.modalities;
    checkIdentifierType(place, 'subject_id');
    if (!/^(DATE|TIMESTAMP.*)$/.test(place.columns.get('time') ?? ''))
      throw malformed(
        `${place.name}: column time is of type ${place.columns.get('time')}; expected timestamps`,
      );
    await refuseRows(database, place, 'subject_id IS NULL', 'column subject_id is empty');
    await refuseRows(
      database,
      place,
      `${emptySql('code')} OR regexp_matches(code, '^(DIAGNOSIS|PROCEDURE|ICD)') AND
       ${emptySql("string_split(code, '/')[-1]")}`,
      'column code is empty, or ends in a word for it (NaN, None)',
    );
    await refuseControls(database, place, 'code');
    const visit = await visitColumnOf(place, tools);
    for (const statement of [eventView(place, visit), ...(visit === undefined ? byDay : byColumn)])
      await database.run(statement);
    const titles = await readTitles(place, tools);
    const meaning = (text: string): OutsideCode | undefined => {
      const code = medsCode(text);
      if (!code || !modalities.includes(code.modality)) return undefined;
      const title = titles.get(text);
      return title === undefined ? code : { ...code, title };
    };
    const { columns, codes, left } = await readEventRows(database, { relation: 'placed', meaning });
    const lost = visit === undefined ? undefined : await lostWithoutVisit(place, visit, meaning, tools);
    if (codes.length === 0 && left.length > 0)
      throw malformed(
        `${place.name}: no event is a diagnosis, procedure or drug that we know; found ${byPrefix(left)}`,
      );
    const split = await readSplit(place, tools);
    const notes = [howVisits(visit), ...(lost === undefined ? [] : [lost])];
    if (left.length > 0) notes.push(`events left out, by vocabulary: ${byPrefix(left)}`);
    return {
      ...columns,
      vocabulary: { codes, labels: [] },
      labelsNamed: false,
      notes,
      ...(split ? { split } : {}),
    };
  },
};
