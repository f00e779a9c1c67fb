import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Database, identifier, literal } from '../../kernel/duckdb.ts';
import { drainAsync } from '../../kernel/steps.ts';
import { scanCsv, scannedReader } from '../../sources/csv-scan.ts';
import { checkFirstBytes, checkNames, checkSeparator, type DataFile } from '../../sources/header.ts';
import { malformed } from './outside-cohort.ts';

/** Names of labels keep their case: they are compared and shown. */
export const columnName = (cell: string): string => {
  const name = cell.trim();
  return /^label:/i.test(name) ? name : name.toLowerCase();
};

/** Throws SourceMalformed where lines do not fit the header, with the first of them. */
const refuseRejects = async (name: string, path: string): Promise<void> => {
  const rejects = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
  const [line, , detail] = rejects[0]?.split('\x1f') ?? [];
  if (line !== undefined)
    throw malformed(
      `${name}: ${rejects.length} lines do not fit the header, first line ${line}: ${detail}. ` +
        'Were files of different columns joined?',
    );
};

/** Throws SourceMalformed where a line repeats the header: two files of the same columns were joined. */
const refuseHeaders = async (database: Database, name: string, reader: string, columns: string[]) => {
  const same = columns.map((column) => `lower(${identifier(column)}) = ${literal(column.toLowerCase())}`);
  const [found] = await database.rows<{ line: number | null }>(
    `SELECT min(line) AS line FROM ${reader} WHERE ${same.join(' AND ')}`,
  );
  if (typeof found?.line === 'number')
    throw malformed(`${name}: line ${found.line} repeats the header. Were files joined? Leave one header`);
};

/**
 * SQL that reads a CSV file as text, one column per named column of its header. All CSV goes through the
 * lexer of the sources: DuckDB's own reader guesses where a table begins, and then leaves lines out without
 * an error. What it writes lies in `scratch`. Throws SourceMalformed with the line.
 */
export const stageCsv = async (file: DataFile, database: Database, scratch: string): Promise<string> => {
  await checkFirstBytes(file);
  const paths = { rows: join(scratch, 'rows'), rejects: join(scratch, 'rejects') };
  const { columns } = await drainAsync(
    scanCsv(file, paths, (header) => {
      checkSeparator(file, header);
      const names = header.map(columnName);
      checkNames(file, names);
      return names.map((name) => (name === '' ? undefined : name));
    }),
  );
  await refuseRejects(file.name, paths.rejects);
  if (columns.includes('line')) throw malformed(`${file.name} has a column named line. Rename it`);
  const reader = scannedReader(paths.rows, columns);
  await refuseHeaders(database, file.name, reader, columns);
  return `(SELECT * EXCLUDE (line) FROM ${reader})`;
};
