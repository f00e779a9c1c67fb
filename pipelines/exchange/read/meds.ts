import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Split, splits, type TokenKind } from '../../../schemas/ehr.ts';
import { identifier, literal } from '../../kernel/duckdb.ts';
import { gather, Int32Gatherer } from '../../patients/query-columns.ts';
import { medsCode, medsPrefix } from './code-systems.ts';
import { type EventColumns, readEventRows } from './event-rows.ts';
import {
  type CohortLayout,
  malformed,
  type OutsideCode,
  type Place,
  type ReadTools,
} from './outside-cohort.ts';
import { checkIdentifierType, refuseRows } from './table-checks.ts';

const visitColumns = ['hadm_id', 'visit_id', 'visit_occurrence_id', 'encounter_id'];
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
      `SELECT CAST(code AS VARCHAR) AS code, CAST(description AS VARCHAR) AS title FROM read_parquet(${literal(file)})
       WHERE code IS NOT NULL AND nullif(CAST(description AS VARCHAR), '') IS NOT NULL ORDER BY code`,
    )
    .catch(() => {
      throw malformed(`${place.name}: metadata/codes.parquet should have the columns code and description`);
    });
  return new Map(rows.map(({ code, title }) => [code, title]));
};

/** Split of each patient in order, where the dataset names MEDS's three splits for all of them. */
const readSplit = async (place: Place, { database }: ReadTools): Promise<Uint8Array | undefined> => {
  const file = metadataFile(place, 'subject_splits.parquet');
  if (file === undefined) return undefined;
  const cases = Object.entries(splitNames).map(
    ([name, split]) => `WHEN ${literal(name)} THEN ${splits.indexOf(split)}`,
  );
  const gatherer = new Int32Gatherer();
  await gather(
    database,
    `SELECT any_value(CASE split ${cases.join(' ')} END) FROM patient LEFT JOIN
       (SELECT CAST(subject_id AS VARCHAR) AS patient, split FROM read_parquet(${literal(file)})) USING (patient)
     GROUP BY p ORDER BY p`,
    [gatherer],
  ).catch(() => {
    throw malformed(
      `${place.name}: metadata/subject_splits.parquet should have the columns subject_id and split`,
    );
  });
  const split = gatherer.finish();
  return split.includes(-1) ? undefined : Uint8Array.from(split);
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

/**
 * Medical Event Data Standard: a row per event with subject, time and code. Events that are not diagnoses,
 * procedures, drugs or lab tests make neither visits nor patients. Source: Medical-Event-Data-Standard/meds,
 * README.
 */
export const medsLayout: CohortLayout = {
  name: 'meds',
  about: 'a MEDS dataset: data/**/*.parquet (or one such file) with columns subject_id, time, code',
  recognizes: ({ columns }) => ['subject_id', 'time', 'code'].every((column) => columns.has(column)),
  async read(place, tools) {
    const { database } = tools;
    const modalities: readonly TokenKind[] = tools.modalities;
    checkIdentifierType(place, 'subject_id');
    if (!/^(DATE|TIMESTAMP.*)$/.test(place.columns.get('time') ?? ''))
      throw malformed(
        `${place.name}: column time is of type ${place.columns.get('time')}; expected timestamps`,
      );
    await refuseRows(database, place, 'subject_id IS NULL', 'column subject_id is empty');
    await refuseRows(database, place, 'code IS NULL', 'column code is empty');
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
    if (codes.length === 0 && left.length > 0)
      throw malformed(
        `${place.name}: no event is a diagnosis, procedure or drug that we know; found ${byPrefix(left)}`,
      );
    const split = await readSplit(place, tools);
    const notes = [howVisits(visit)];
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
