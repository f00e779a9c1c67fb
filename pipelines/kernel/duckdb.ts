import { join } from 'node:path';
import { type DuckDBConnection, type DuckDBDataChunk, DuckDBInstance } from '@duckdb/node-api';

const memoryLimit = '512MB';
const beatMilliseconds = 2000;

/** A DuckDB that works out of core in a scratch folder, sees only given folders, and never the network. */
export interface Database {
  run(sql: string): Promise<void>;
  /**
   * Adds rows of texts and whole numbers to a table. Values travel as values: no text can end a statement
   * early.
   */
  append(table: string, rows: Iterable<readonly (string | number)[]>): Promise<void>;
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
/**
 * Path of a file to read, as SQL text. `read_csv`, `read_parquet` and `read_json` take a path as a pattern:
 * unescaped, `cohort[1].csv` reads its neighbour `cohort1.csv`. Paths to write are no patterns and need
 * `literal` alone.
 */
export const fileLiteral = (path: string): string => literal(escapePattern(path));

const escapePattern = (path: string): string => path.replaceAll(/[*?[]/g, '[$&]');

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
  const append: Database['append'] = async (table, given) => {
    const appender = await connection.createAppender(table);
    for (const row of given) {
      for (const value of row)
        if (typeof value === 'string') appender.appendVarchar(value);
        else appender.appendInteger(value);
      appender.endRow();
    }
    appender.closeSync();
  };
  const stream = async function* (sql: string) {
    yield* await connection.stream(sql);
  };
  await run("SET disabled_optimizers = 'join_order,build_side_probe_side'");
  // Compared with the text of a path, so a folder is allowed as a path to write and as a pattern to read.
  const allowed = [scratch, ...folders].flatMap((folder) => [folder, escapePattern(folder)]);
  await run(`SET allowed_directories = [${[...new Set(allowed)].map(literal).join(', ')}]`);
  await run('SET enable_external_access = false');
  await run('SET lock_configuration = true');
  return {
    run,
    append,
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
