import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { StageError } from '../../../schemas/errors.ts';
import { type Database, fileLiteral } from '../../kernel/duckdb.ts';
import { checkFirstBytes } from '../../sources/header.ts';
import { columnName, stageCsv } from './csv-table.ts';
import { malformed, namesText, type Place } from './outside-cohort.ts';

const deepest = 12;

const isFolder = async (entry: Dirent, path: string): Promise<boolean> =>
  entry.isDirectory() ||
  (entry.isSymbolicLink() && (await stat(path).catch(() => undefined))?.isDirectory() === true);

/**
 * Files below a folder, through links. Names with a leading dot are what systems leave there (`._0.parquet`).
 */
const filesBelow = async (folder: string, depth = 0): Promise<string[]> => {
  if (depth > deepest)
    throw malformed(`${basename(folder)} lies more than ${deepest} folders deep: is it a link to itself?`);
  const entries = await readdir(folder, { withFileTypes: true });
  const found = entries
    .filter((entry) => !entry.name.startsWith('.'))
    .map(async (entry) => {
      const path = join(folder, entry.name);
      return (await isFolder(entry, path)) ? filesBelow(path, depth + 1) : [path];
    });
  return (await Promise.all(found)).flat();
};

const filesIn = async (folder: string): Promise<string[]> =>
  (await filesBelow(folder)).map((path) => relative(folder, path).replaceAll('\\', '/')).sort();

/** Shards of a MEDS folder lie in data/; a plain folder of Parquet files is taken whole, but for metadata. */
const shardsOf = (files: string[]): string[] => {
  const parquet = files.filter((file) => file.toLowerCase().endsWith('.parquet'));
  const data = parquet.filter((file) => file.startsWith('data/'));
  return data.length > 0 ? data : parquet.filter((file) => !file.startsWith('metadata/'));
};

const isTable = (name: string): boolean => /\.(parquet|csv|csv\.gz)$/i.test(name);

const listOf = (tables: readonly string[]): string => `[${tables.map(fileLiteral).join(', ')}]`;

/** SQL that reads Parquet files as one table; `filename` adds a column with the path of each row's file. */
export const parquetReader = (tables: readonly string[], { filename = false } = {}): string =>
  `read_parquet(${listOf(tables)}, union_by_name = true${filename ? ', filename = true' : ''})`;

const readerOf = async ({ tables, name }: Place, database: Database, scratch: string): Promise<string> => {
  const [first = ''] = tables;
  const format = (['csv.gz', 'csv'] as const).find((ending) => first.toLowerCase().endsWith(`.${ending}`));
  if (format) return await stageCsv({ name, path: first, format }, database, scratch);
  for (const path of tables) await checkFirstBytes({ name: basename(path), path, format: 'parquet' });
  return parquetReader(tables);
};

/** What a failure of DuckDB means while it reads a table; its own words may quote cells, so they end here. */
export const toTableError = (error: unknown, { name, tables }: Pick<Place, 'name' | 'tables'>): unknown => {
  if (error instanceof StageError || !(error instanceof Error)) return error;
  if (/Out of Memory|No space left/.test(error.message)) return error;
  if (!tables[0]?.toLowerCase().endsWith('.parquet')) return error;
  if (!/\b(Parquet|parquet|Invalid Input|IO Error)/.test(error.message)) return error;
  return malformed(`${name} cannot be read as Parquet: it is damaged or cut off`);
};

const missing = (path: string, why: string) => new StageError('SourceMissing', `${path}: ${why}`);

const statOf = async (path: string) => {
  try {
    return await stat(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw missing(path, code === 'ENOENT' ? 'there is nothing of that name' : `it cannot be read (${code})`);
  }
};

/**
 * A place before its tables have been looked into. Throws SourceMissing where there is nothing, or nothing in
 * it.
 */
export const findPlace = async (path: string): Promise<Place> => {
  const found = await statOf(path);
  const absolute = resolve(path);
  const name = basename(absolute);
  if (!found.isDirectory()) {
    if (!found.isFile()) throw missing(path, 'it is neither a file nor a folder');
    if (found.size === 0) throw malformed(`${name} is empty`);
    const tables = isTable(name) ? [absolute] : [];
    return { path: absolute, name, kind: 'file', files: [name], tables, reader: '', columns: new Map() };
  }
  const files = await filesIn(absolute).catch((error) => {
    if (error instanceof StageError) throw error;
    throw missing(path, 'it cannot be listed: no right to read it');
  });
  if (files.length === 0) throw missing(path, 'the folder is empty');
  const tables = shardsOf(files).map((file) => join(absolute, file));
  return { path: absolute, name, kind: 'folder', files, tables, reader: '', columns: new Map() };
};

/** Folders that a database must see to read a place: its own, and those that links in it lead to. */
export const foldersOf = async ({ path, kind, tables }: Place): Promise<string[]> => {
  const own = kind === 'folder' ? path : dirname(path);
  const linked = await Promise.all(tables.map(async (table) => dirname(await realpath(table))));
  return [...new Set([own, ...linked.filter((folder) => folder !== own && !folder.startsWith(`${own}/`))])];
};

/**
 * The place with the columns of its table, where it is one; `scratch` takes what a CSV file becomes. Throws
 * SourceMalformed on a damaged file.
 */
export const surveyTables = async (place: Place, database: Database, scratch: string): Promise<Place> => {
  if (place.tables.length === 0) return place;
  const reader = await readerOf(place, database, scratch);
  const rows = await database
    .rows<{ column_name: string; column_type: string }>(`DESCRIBE SELECT * FROM ${reader}`)
    .catch((error) => {
      throw toTableError(error, place);
    });
  const columns = new Map<string, string>();
  for (const { column_name, column_type } of rows) columns.set(columnName(column_name), column_type);
  return { ...place, reader, columns };
};

/**
 * Throws SourceMalformed where a table of several Parquet files has one that lacks a needed column, or has it
 * as numbers where another has text: read together, its rows would be left out or its codes lose their zeros.
 */
export const checkShards = async (
  { path, tables }: Place,
  needed: readonly string[],
  database: Database,
): Promise<void> => {
  if (tables.length < 2) return;
  const rows = await database.rows<{ file: string; column: string; text: boolean }>(
    `SELECT file_name AS file, lower(trim(name)) AS "column", coalesce(type = 'BYTE_ARRAY', false) AS text
     FROM parquet_schema(${listOf(tables)}) WHERE type IS NOT NULL`,
  );
  const nameOf = (file: string) => relative(path, file).replaceAll('\\', '/');
  for (const column of needed) {
    const having = new Map(rows.filter((row) => row.column === column).map((row) => [row.file, row.text]));
    const without = tables.find((file) => !having.has(file));
    if (without !== undefined)
      throw malformed(`${nameOf(without)} has no column ${column}, which the other files have`);
    const other = tables.find((file) => having.get(file) !== having.get(tables[0] as string));
    if (other !== undefined)
      throw malformed(
        `column ${column} is text in one of ${nameOf(tables[0] as string)} and ${nameOf(other)}, and a number in the ` +
          'other. Write all files with the same types',
      );
  }
};

/** What was found, for a message: names of columns or of files, never cells. */
export const foundText = ({ kind, files, columns, name }: Place): string => {
  if (columns.size > 0) return `a table with columns ${namesText([...columns.keys()])}`;
  return kind === 'folder' ? `a folder with ${namesText(files)}` : `a file named ${name}`;
};
