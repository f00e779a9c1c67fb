import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';

/** A DuckDB of its own, in memory until it must spill. `close` removes what it spilled. */
export interface OpenDuckDb {
  connection: DuckDBConnection;
  close(): Promise<void>;
}

/** Opens a DuckDB that spills to a private folder; close it in a `finally`. */
export const openDuckDb = async (): Promise<OpenDuckDb> => {
  const spill = await mkdtemp(join(tmpdir(), 'understudy-duckdb-'));
  const instance = await DuckDBInstance.create(':memory:', { temp_directory: spill });
  const connection = await instance.connect();
  return {
    connection,
    async close() {
      connection.closeSync();
      instance.closeSync();
      await rm(spill, { recursive: true, force: true });
    },
  };
};
