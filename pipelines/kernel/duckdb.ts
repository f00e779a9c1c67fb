import { join } from 'node:path';
import { type DuckDBConnection, type DuckDBDataChunk, DuckDBInstance } from '@duckdb/node-api';

const memoryLimit = '512MB';
const beatMilliseconds = 2000;

/** A DuckDB that works out of core in a scratch folder, sees only given folders, and never the network. */
export interface Database {
  run(sql: string): Promise<void>;
  /** Rows as plain objects; big integers come as numbers. */
  rows<T>(sql: string): Promise<T[]>;
  /** Rows chunk by chunk, as columns; holds one chunk at a time. */
  stream(sql: string): AsyncIterable<DuckDBDataChunk>;
  close(): void;
  /** Stops what is running, so that `close` need not wait for it. */
  interrupt(): void;
}

/** SQL text in quotes. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
/** A SQL name in quotes. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/**
 * Opens a database file in `scratch`. One thread, insertion order kept and joins built as written, so that
 * equal sources give equal bytes.
 */
export const openDatabase = async (scratch: string, folders: string[]): Promise<Database> => {
  const instance = await DuckDBInstance.create(join(scratch, 'extract.duckdb'), {
    threads: '1',
    memory_limit: memoryLimit,
    temp_directory: scratch,
    preserve_insertion_order: 'true',
    autoload_known_extensions: 'false',
    autoinstall_known_extensions: 'false',
    allow_community_extensions: 'false',
  });
  const connection: DuckDBConnection = await instance.connect();
  const rows = async <T>(sql: string): Promise<T[]> => {
    const reader = await connection.runAndReadAll(sql);
    return reader.getRowObjectsJS().map((row) => {
      const plain = Object.entries(row).map(([key, v]) => [key, typeof v === 'bigint' ? Number(v) : v]);
      return Object.fromEntries(plain) as T;
    });
  };
  const run = async (sql: string) => void (await rows(sql));
  const stream = async function* (sql: string) {
    yield* await connection.stream(sql);
  };
  await run("SET disabled_optimizers = 'join_order,build_side_probe_side'");
  await run(`SET allowed_directories = [${[scratch, ...folders].map(literal).join(', ')}]`);
  await run('SET enable_external_access = false');
  await run('SET lock_configuration = true');
  return {
    run,
    rows,
    stream,
    interrupt: () => connection.interrupt(),
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
};

/** Waits for one statement and yields every two seconds; a consumer that stops listening interrupts it. */
export async function* steadily<T>(database: Database, work: Promise<T>): AsyncGenerator<void, T> {
  let pending = true;
  const settled = work.finally(() => {
    pending = false;
  });
  // A rejection while nothing awaits it is handled by the await below.
  settled.catch(() => {});
  try {
    while (pending) {
      let timer: NodeJS.Timeout | undefined;
      const beat = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, beatMilliseconds);
      });
      await Promise.race([settled, beat]).finally(() => clearTimeout(timer));
      if (pending) yield;
    }
    return await settled;
  } finally {
    if (pending) {
      database.interrupt();
      await settled.catch(() => {});
    }
  }
}
