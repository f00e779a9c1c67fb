import { mkdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { EventTable } from '../../schemas/events.ts';
import type { Extraction } from '../../schemas/extraction.ts';
import type { Progress } from '../../schemas/progress.ts';
import type { Draft } from '../../schemas/store.ts';
import { type Database, fileLiteral, identifier, literal, openDatabase, steadily } from '../kernel/duckdb.ts';
import { scanCsv, scannedReader } from './csv-scan.ts';
import { checkColumns, checkFirstBytes, neededColumns } from './header.ts';
import type { SourceLayout, SourceTable } from './layout.ts';
import { checkOutcome, takeCounts } from './outcome.ts';
import { openParquet, toParquetError } from './parquet-source.ts';
import { digestFile, findSourceFiles, type SourceFile } from './source-folder.ts';
import { emptySql, faultsOf, keptSql, keyFault, stagingSql } from './staging-sql.ts';

type Outcome = Extraction['tables'][string];

interface Extractor {
  database: Database;
  scratch: string;
  limit: number | undefined;
  /** Path of an event table's Parquet file. */
  path(table: EventTable): string;
}

/** Returns the SQL that reads a source as text; structural rejects go into table `rejects` on the way. */
async function* openTable(
  file: SourceFile,
  extractor: Extractor,
): AsyncGenerator<void, { reader: string; read: number }> {
  await checkFirstBytes(file);
  if (file.format === 'parquet') return await openParquet(extractor.database, file);
  const paths = { rows: join(extractor.scratch, 'rows'), rejects: join(extractor.scratch, 'rejects') };
  const needed = neededColumns(file.table);
  const { columns, records } = yield* scanCsv(file, paths, (header) =>
    checkColumns(file, header).map((name) => (needed.includes(name) ? name : undefined)),
  );
  await extractor.database.run(
    `INSERT INTO rejects SELECT ${literal(file.table.source)}, line, reason, detail
     FROM ${scannedReader(paths.rejects, ['reason', 'detail'])}`,
  );
  return { reader: scannedReader(paths.rows, columns), read: records };
}

const rejectFaultsSql = (table: SourceTable): string => {
  const faults = [...faultsOf(table), keyFault(table)];
  const pick = (name: 'reason' | 'detail') =>
    `CASE fault ${faults.map((fault, index) => `WHEN ${index} THEN ${literal(fault[name])}`).join(' ')} END`;
  return `INSERT INTO rejects SELECT ${literal(table.source)}, line, ${pick('reason')}, ${pick('detail')}
    FROM staged WHERE fault IS NOT NULL`;
};

/** Writes a Parquet file and lets the tables after it refer to its rows. */
const writeTable = async (select: string, target: EventTable, { database, path }: Extractor) => {
  const file = path(target);
  await database.run(`COPY (${select}) TO ${literal(file)} (FORMAT parquet, COMPRESSION zstd)`);
  await database.run(`CREATE VIEW ${identifier(target)} AS SELECT * FROM read_parquet(${fileLiteral(file)})`);
};

async function* extractTable(file: SourceFile, extractor: Extractor): AsyncGenerator<void, Outcome> {
  const { database } = extractor;
  const { table } = file;
  const { reader, read } = yield* openTable(file, extractor);
  const staging = database.run(stagingSql(table, reader)).catch((error) => {
    throw file.format === 'parquet' ? toParquetError(error, file) : error;
  });
  yield* steadily(database, staging);
  yield* steadily(database, database.run(rejectFaultsSql(table)));
  const counts = yield* takeCounts(database, table, read);
  await checkOutcome(database, file, counts, { reader, limit: extractor.limit });
  yield* steadily(database, writeTable(keptSql(table), table.target, extractor));
  return { target: table.target, file: file.name, sha256: await digestFile(file.path), ...counts };
}

const absent = (target: EventTable): Outcome => ({
  target,
  file: null,
  sha256: null,
  read: 0,
  kept: 0,
  rejected: {},
  notes: {},
});

async function* extractAll(
  layout: SourceLayout,
  files: SourceFile[],
  extractor: Extractor,
): AsyncGenerator<Progress, Extraction> {
  const tables: Extraction['tables'] = {};
  const of = layout.tables.length;
  await extractor.database.run(`CREATE TABLE rejects AS ${emptySql('rejects')}`);
  for (const [step, table] of layout.tables.entries()) {
    yield { step, of, phase: table.source };
    const file = files.find((found) => found.table === table);
    if (!file) {
      await writeTable(emptySql(table.target), table.target, extractor);
      tables[table.source] = absent(table.target);
      continue;
    }
    const work = extractTable(file, extractor);
    try {
      let next = await work.next();
      for (; !next.done; next = await work.next()) yield { step, of, phase: table.source };
      tables[table.source] = next.value;
    } finally {
      await work.return(absent(table.target));
    }
  }
  const order = layout.tables.map(({ source }) => literal(source)).join(', ');
  await extractor.database.run(
    `COPY (SELECT * FROM rejects ORDER BY list_position([${order}], source_table), line)
     TO ${literal(extractor.path('rejects'))} (FORMAT parquet, COMPRESSION zstd)`,
  );
  yield { step: of, of, phase: 'rejects' };
  return { layout: layout.name, tables };
}

/**
 * Reads the tables of a source folder into one Parquet file per event table, at
 * `draft.path('<table>.parquet')`. Scratch files lie in the draft, too, so that a killed worker leaves
 * patient data nowhere else; they are gone when it returns or throws. Equal sources give equal bytes. Throws
 * SourceMissing and SourceMalformed, the latter also where a larger share than `rejectLimit` of a table falls
 * out.
 */
export async function* extractTables(
  layout: SourceLayout,
  source: string,
  draft: Pick<Draft, 'path'>,
  rejectLimit?: number,
): AsyncGenerator<Progress, Extraction> {
  const folder = resolve(source);
  const files = await findSourceFiles(layout, folder);
  const scratch = draft.path('scratch');
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true });
  try {
    const database = await openDatabase(scratch, [folder, dirname(scratch)]);
    try {
      const path = (table: EventTable) => draft.path(`${table}.parquet`);
      return yield* extractAll(layout, files, { database, scratch, path, limit: rejectLimit });
    } finally {
      database.close();
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
