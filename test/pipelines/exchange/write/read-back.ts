import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { ExecutionContext } from 'ava';
import { tempFolder } from '../../../helpers/temp-folder.ts';

export type Row = Record<string, unknown>;

/** Folders of one export. */
export const exportPlaces = async (t: ExecutionContext) => {
  const root = await tempFolder(t);
  const [folder, scratch] = [join(root, 'out'), join(root, 'work')];
  await mkdir(folder);
  return { root, folder, scratch };
};

/** A DuckDB without our settings, as any other program would open it: rows of a query. */
export const queries = async (t: ExecutionContext) => {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  t.teardown(() => {
    connection.closeSync();
    instance.closeSync();
  });
  return async (sql: string): Promise<Row[]> => (await connection.runAndReadAll(sql)).getRowObjectsJS();
};
