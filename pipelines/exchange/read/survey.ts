import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { StageError } from '../../../schemas/errors.ts';
import { type Database, literal } from '../../kernel/duckdb.ts';
import { malformed, namesText, type Place } from './outside-cohort.ts';

const deepest = 4;

const entriesOf = async (folder: string, depth = 0): Promise<Dirent[]> => {
  const entries = await readdir(folder, { withFileTypes: true });
  const nested = entries
    .filter((entry) => entry.isDirectory() && depth < deepest)
    .map((entry) => entriesOf(join(folder, entry.name), depth + 1));
  return [...entries.filter((entry) => !entry.isDirectory()), ...(await Promise.all(nested)).flat()];
};

const filesIn = async (folder: string): Promise<string[]> => {
  const entries = await entriesOf(folder);
  return entries
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).replaceAll('\\', '/'))
    .sort();
};

/** Shards of a MEDS folder lie in data/; a plain folder of Parquet files is taken whole, but for metadata. */
const shardsOf = (files: string[]): string[] => {
  const parquet = files.filter((file) => file.toLowerCase().endsWith('.parquet'));
  const data = parquet.filter((file) => file.startsWith('data/'));
  return data.length > 0 ? data : parquet.filter((file) => !file.startsWith('metadata/'));
};

const isTable = (name: string): boolean => /\.(parquet|csv|csv\.gz)$/i.test(name);

const readerOf = (tables: string[]): string => {
  const list = `[${tables.map(literal).join(', ')}]`;
  return tables[0]?.toLowerCase().endsWith('.parquet')
    ? `read_parquet(${list}, union_by_name = true)`
    : `read_csv(${list}, all_varchar = true, header = true, delim = ',', quote = '"', escape = '"', null_padding = false)`;
};

/** What a failure of DuckDB means while it reads a table; its own words may quote cells, so they end here. */
export const toTableError = (error: unknown, { name, tables }: Pick<Place, 'name' | 'tables'>): unknown => {
  if (error instanceof StageError || !(error instanceof Error)) return error;
  if (/Out of Memory|No space left/.test(error.message)) return error;
  if (!/\b(CSV|Parquet|parquet|Invalid Input|IO Error|sniff)/.test(error.message)) return error;
  const line = /Line: (\d+)/.exec(error.message)?.[1];
  const format = tables[0]?.toLowerCase().endsWith('.parquet')
    ? 'Parquet'
    : 'CSV (commas, quotes doubled, UTF-8)';
  return malformed(
    `${name} cannot be read as ${format}${line ? `: see line ${line}` : ': it is damaged or cut off'}`,
  );
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
    if (found.size === 0) throw malformed(`${name} is empty`);
    const tables = isTable(name) ? [absolute] : [];
    return { path: absolute, name, kind: 'file', files: [name], tables, reader: '', columns: new Map() };
  }
  const files = await filesIn(absolute).catch(() => {
    throw missing(path, 'it cannot be listed: no right to read it');
  });
  if (files.length === 0) throw missing(path, 'the folder is empty');
  const tables = shardsOf(files).map((file) => join(absolute, file));
  return { path: absolute, name, kind: 'folder', files, tables, reader: '', columns: new Map() };
};

/** Folder that a database must see to read a place. */
export const folderOf = ({ path, kind }: Place): string => (kind === 'folder' ? path : dirname(path));

/** The place with the columns of its table, where it is one. Throws SourceMalformed on a damaged file. */
export const surveyTables = async (place: Place, database: Database): Promise<Place> => {
  if (place.tables.length === 0) return place;
  const reader = readerOf(place.tables);
  const rows = await database
    .rows<{ column_name: string; column_type: string }>(`DESCRIBE SELECT * FROM ${reader}`)
    .catch((error) => {
      throw toTableError(error, place);
    });
  const columns = new Map<string, string>();
  for (const { column_name, column_type } of rows) {
    const name = column_name.trim();
    // Names of labels keep their case: they are compared and shown.
    columns.set(/^label:/i.test(name) ? name : name.toLowerCase(), column_type);
  }
  return { ...place, reader, columns };
};

/** What was found, for a message: names of columns or of files, never cells. */
export const foundText = ({ kind, files, columns, name }: Place): string => {
  if (columns.size > 0) return `a table with columns ${namesText([...columns.keys()])}`;
  return kind === 'folder' ? `a folder with ${namesText(files)}` : `a file named ${name}`;
};
