import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { StageError } from '../../schemas/errors.ts';
import { fileLiteral, literal } from '../kernel/duckdb.ts';
import { CsvFault, CsvLexer } from './csv-lexer.ts';
import type { DataFile } from './header.ts';

/** What a scan leaves behind: two files without quotes, `chr(31)` between fields, a line number first. */
interface CsvScan {
  /** Columns of `rows` after the line number. */
  columns: string[];
  /** Records in the file, rejected ones among them. */
  records: number;
}

const chunkBytes = 1 << 20;
const beatBytes = 64 << 20;
const mark = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * SQL that reads `rows` or `rejects` of a scan: the line number, then text columns, NULL where a cell is
 * empty.
 */
export const scannedReader = (path: string, columns: readonly string[]): string => {
  const types = columns.map((name) => `${literal(name)}: 'VARCHAR'`).join(', ');
  return `read_csv(${fileLiteral(path)}, auto_detect = false, header = false, delim = chr(31), quote = '', escape = '',
    columns = {'line': 'BIGINT', ${types}})`;
};

const bytesOf = (file: DataFile): Readable => {
  const raw = createReadStream(file.path, { highWaterMark: chunkBytes });
  if (file.format === 'csv') return raw;
  // Errors reach the reader of the last stream, which pipeline() destroys with them.
  return pipeline(raw, createGunzip({ chunkSize: chunkBytes }), () => {});
};

/** The error in terms of the file; an unknown error passes unchanged. */
const explain = (error: unknown, file: DataFile): unknown => {
  if (error instanceof CsvFault) return new StageError('SourceMalformed', `${file.name}: ${error.message}`);
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'Z_BUF_ERROR')
    return new StageError(
      'SourceMalformed',
      `${file.name} ends in the middle of its gzip data. Copy it again`,
    );
  if (code === 'Z_DATA_ERROR')
    return new StageError('SourceMalformed', `${file.name} holds damaged gzip data. Copy it again`);
  return error;
};

/**
 * Reads a CSV file into `rows` and `rejects`; yields now and then. `columnsOf` checks the header's cells and
 * names the columns, undefined where one is to be left out. Throws SourceMalformed.
 */
export async function* scanCsv(
  file: DataFile,
  paths: { rows: string; rejects: string },
  columnsOf: (header: string[]) => (string | undefined)[],
): AsyncGenerator<void, CsvScan> {
  let columns: string[] = [];
  const lexer = new CsvLexer((cells) => {
    const names = columnsOf(cells);
    columns = names.filter((name) => name !== undefined);
    return names.map((name) => name !== undefined);
  });
  const rows = await open(paths.rows, 'w');
  const rejects = await open(paths.rejects, 'w');
  const write = async (finished: Uint8Array, rejected: string) => {
    await rows.writeFile(finished);
    await rejects.writeFile(rejected);
  };
  try {
    let sinceBeat = 0;
    let first = true;
    for await (const chunk of bytesOf(file) as AsyncIterable<Buffer>) {
      let at = first && chunk.subarray(0, mark.length).equals(mark) ? mark.length : 0;
      first = false;
      for (at = lexer.consume(chunk, at); at < chunk.length; at = lexer.consume(chunk, at))
        await lexer.drain(write);
      sinceBeat += chunk.length;
      if (sinceBeat > beatBytes) {
        sinceBeat = 0;
        yield;
      }
    }
    lexer.finish();
    if (!lexer.sawHeader)
      throw new StageError('SourceMalformed', `${file.name} is empty: there is not even a header line`);
    await lexer.drain(write);
    return { columns, records: lexer.records };
  } catch (error) {
    throw explain(error, file);
  } finally {
    await rows.close();
    await rejects.close();
  }
}
