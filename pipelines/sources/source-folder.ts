import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StageError } from '../../schemas/errors.ts';
import { optionalEventTables } from '../../schemas/events.ts';
import type { DataFile } from './header.ts';
import type { SourceLayout, SourceTable } from './layout.ts';

/** The file of one source table; its name as it is written in the folder. */
export interface SourceFile extends DataFile {
  table: SourceTable;
}

const endings = ['csv.gz', 'csv', 'parquet'] as const;

const listed = (names: string[]): string => {
  const shown = names.slice(0, 24).join(', ');
  return names.length > 24 ? `${shown} and ${names.length - 24} more` : shown || 'nothing';
};

const entriesOf = async (folder: string): Promise<string[]> => {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const found =
      code === 'ENOENT'
        ? 'there is nothing of that name'
        : code === 'ENOTDIR'
          ? 'it is a file'
          : `it cannot be read (${code})`;
    throw new StageError(
      'SourceMissing',
      `source ${folder} should be a folder with the tables, but ${found}`,
    );
  }
};

const isOptional = (table: SourceTable) => optionalEventTables.includes(table.target);

const fileOf = (table: SourceTable, folder: string, entries: string[]): SourceFile | undefined => {
  const wanted = table.source.toLowerCase();
  const found = entries.flatMap((name) => {
    const format = endings.find((ending) => name.toLowerCase() === `${wanted}.${ending}`);
    return format ? [{ table, name, path: join(folder, name), format }] : [];
  });
  if (found.length > 1)
    throw new StageError(
      'SourceMalformed',
      `table ${table.source} is there ${found.length} times: ${found.map((f) => f.name).join(', ')}. Leave one`,
    );
  return found[0];
};

/**
 * The files of a layout in a folder, in the layout's order; optional tables may be absent. Throws
 * SourceMissing (naming what the folder holds) and SourceMalformed (a table is there twice, or is no file).
 */
export const findSourceFiles = async (layout: SourceLayout, folder: string): Promise<SourceFile[]> => {
  const entries = await entriesOf(folder);
  const files = layout.tables.flatMap((table) => fileOf(table, folder, entries) ?? []);
  const missing = layout.tables
    .filter((table) => !isOptional(table) && !files.some((file) => file.table === table))
    .map((table) => table.source);
  if (missing.length)
    throw new StageError(
      'SourceMissing',
      `${folder} has no ${missing.join(', no ')} as .csv, .csv.gz or .parquet (layout ${layout.name}). ` +
        `It holds: ${listed(entries)}`,
    );
  for (const file of files) await checkOpens(file);
  return files;
};

const checkOpens = async ({ name, path }: SourceFile): Promise<void> => {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new StageError('SourceMissing', `${name} cannot be opened: is it a broken link?`);
  if (!found.isFile()) throw new StageError('SourceMissing', `${name} should be a file but is a folder`);
  const handle = await open(path).catch(() => {
    throw new StageError('SourceMissing', `${name} cannot be opened: no right to read it`);
  });
  await handle.close();
};

/** sha256 of a file, read as a stream. */
export const digestFile = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
};

/** Digest of the names and contents of the files a layout reads: changes when, and only when, they change. */
export const fingerprintSource = async (layout: SourceLayout, folder: string): Promise<string> => {
  const hash = createHash('sha256');
  for (const { name, path } of await findSourceFiles(layout, folder))
    hash.update(`${name}\n${await digestFile(path)}\n`);
  return hash.digest('hex');
};
