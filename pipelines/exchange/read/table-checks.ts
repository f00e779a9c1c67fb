import type { Database } from '../../kernel/duckdb.ts';
import { malformed, type Place } from './outside-cohort.ts';

const whole = /^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/;
const scalar = /^(VARCHAR|DATE|TIMESTAMP.*|ENUM.*)$/;

/** Throws SourceMalformed unless codes are text or whole numbers: a fraction has lost what it was. */
export const checkCodeType = ({ name, columns }: Place, column: string): void => {
  const type = columns.get(column) ?? '';
  if (whole.test(type) || /^(VARCHAR|ENUM.*)$/.test(type)) return;
  const why = type.endsWith('[]') ? 'one code per row is expected' : 'codes are text or whole numbers';
  throw malformed(`${name}: column ${column} is of type ${type}; ${why}`);
};

/** Throws SourceMalformed unless the column is text or a whole number. */
export const checkIdentifierType = ({ name, columns }: Place, column: string): void => {
  const type = columns.get(column) ?? '';
  if (!whole.test(type) && !scalar.test(type))
    throw malformed(`${name}: column ${column} is of type ${type}; expected text or whole numbers`);
};

const control = String.raw`[\x00-\x1f\x7f]`;

/**
 * Throws SourceMalformed where a code holds a control character: a NUL ends a text in much code that reads
 * it.
 */
export const refuseControls = (database: Database, place: Place, column: string): Promise<void> =>
  refuseRows(
    database,
    place,
    `coalesce(regexp_matches(CAST(${column} AS VARCHAR), '${control}'), false)`,
    `column ${column} holds a control character (NUL, tab, line break)`,
  );

/** Throws SourceMalformed that counts the rows where `when` holds and names the first, counted from 1. */
export const refuseRows = async (
  database: Database,
  { name, reader }: Place,
  when: string,
  problem: string,
): Promise<void> => {
  const [found] = await database.rows<{ rows: number; first: number }>(
    `SELECT count(*) AS rows, min(row) AS first FROM (SELECT row_number() OVER () AS row, * FROM ${reader}) WHERE ${when}`,
  );
  if (found && found.rows > 0)
    throw malformed(`${name}: ${problem} in ${found.rows} rows, first in row ${found.first}`);
};

/** True where the condition holds in every row (and in a table without rows). */
export const holdsEverywhere = async (
  database: Database,
  { reader }: Place,
  condition: string,
): Promise<boolean> => {
  const [found] = await database.rows<{ rows: number }>(
    `SELECT count(*) AS rows FROM ${reader} WHERE NOT coalesce(${condition}, false)`,
  );
  return found?.rows === 0;
};
