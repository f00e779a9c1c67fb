import { StageError } from '../../schemas/errors.ts';
import type { Extraction } from '../../schemas/extraction.ts';
import { type Database, identifier, literal, steadily } from '../kernel/duckdb.ts';
import { form, reads } from './cells.ts';
import type { SourceColumn, SourceTable } from './layout.ts';
import type { SourceFile } from './source-folder.ts';
import { cellsSql, notesOf, stagedCountSql } from './staging-sql.ts';

/** What became of the rows of one table. */
type Counts = Pick<Extraction['tables'][string], 'read' | 'kept' | 'rejected' | 'notes'>;

// A column of fewer cells may be all wrong by chance.
const enoughCells = 10;

const repeatsSql = (columns: readonly string[]) =>
  `SELECT coalesce(sum(n - 1), 0) AS n FROM (SELECT count(*) AS n FROM staged WHERE fault IS NULL
   GROUP BY ${columns.join(', ')} HAVING n > 1)`;

/** Counts kept, rejected and noted rows of the table in `staged`; `read` is what the file itself holds. */
export async function* takeCounts(
  database: Database,
  table: SourceTable,
  read: number,
): AsyncGenerator<void, Counts> {
  const [row = {}] = yield* steadily(database, database.rows<Record<string, number>>(stagedCountSql(table)));
  const notes: Record<string, number> = {};
  notesOf(table).forEach(({ kind, column }, index) => {
    const count = row[`note_${index}`] ?? 0;
    if (count) notes[column ? `${kind} ${column}` : kind] = count;
  });
  if (table.repeats) {
    const [repeated] = yield* steadily(database, database.rows<{ n: number }>(repeatsSql(table.repeats)));
    if (repeated?.n) notes['repeated-row'] = repeated.n;
  }
  const reasons = await database.rows<{ reason: string; n: number }>(
    `SELECT reason, count(*) AS n FROM rejects WHERE source_table = ${literal(table.source)}
     GROUP BY reason ORDER BY reason`,
  );
  const rejected = Object.fromEntries(reasons.map(({ reason, n }) => [reason, n]));
  const kept = row['kept'] ?? 0;
  const accounted = reasons.reduce((sum, { n }) => sum + n, kept);
  if (accounted !== read)
    throw new Error(`${table.source}: ${read} rows were read but ${accounted} accounted for`);
  return { read, kept, rejected, notes };
}

const formOf = async (database: Database, table: SourceTable, reader: string, target: string) => {
  const cell = identifier(`cell_${target}`);
  const [row] = await database.rows<{ form: string }>(
    `SELECT ${form(cell)} AS form FROM (${cellsSql(table, reader)}) WHERE ${cell} IS NOT NULL LIMIT 1`,
  );
  return row ? `, found the form ${row.form}` : '';
};

const expectation = async (
  database: Database,
  table: SourceTable,
  reader: string,
  entry: [string, SourceColumn],
) => `expected ${reads[entry[1].read].expected}${await formOf(database, table, reader, entry[0])}`;

const checkAnyKept = async (database: Database, file: SourceFile, counts: Counts, reader: string) => {
  const { table, name } = file;
  const [worst] = await database.rows<{ detail: string; n: number; line: number }>(
    `SELECT detail, count(*) AS n, min(line) AS line FROM rejects
     WHERE source_table = ${literal(table.source)} GROUP BY detail ORDER BY n DESC, detail LIMIT 1`,
  );
  const column = Object.entries(table.columns).find(
    ([, { from, read }]) => reads[read].fault && worst?.detail === `column ${from} ${reads[read].fault.is}`,
  );
  const hint = column ? `; ${await expectation(database, table, reader, column)}` : '';
  throw new StageError(
    'SourceMalformed',
    `${name}: all ${counts.read} rows were rejected, ${worst?.n} because ${worst?.detail} ` +
      `(first on line ${worst?.line})${hint}`,
  );
};

const checkReadable = async (database: Database, file: SourceFile, counts: Counts, reader: string) => {
  const { table, name } = file;
  for (const entry of Object.entries(table.columns)) {
    const [target, { from }] = entry;
    const unreadable = counts.notes[`unreadable-cell ${from}`] ?? 0;
    if (unreadable < enoughCells) continue;
    const [readable] = await database.rows<{ n: number }>(`SELECT count(${target}) AS n FROM staged`);
    if (readable?.n === 0)
      throw new StageError(
        'SourceMalformed',
        `${name}: not one of ${unreadable} cells of column ${from} can be read; ` +
          (await expectation(database, table, reader, entry)),
      );
  }
};

/**
 * Throws SourceMalformed where what came out cannot be meant: no patients, no row kept, a column never
 * readable.
 */
export const checkOutcome = async (
  database: Database,
  file: SourceFile,
  counts: Counts,
  reader: string,
): Promise<void> => {
  if (counts.read === 0 && file.table.needsRows)
    throw new StageError(
      'SourceMalformed',
      `${file.name} has a header but no rows; a cohort needs ${file.table.target}`,
    );
  if (counts.read > 0 && counts.kept === 0) await checkAnyKept(database, file, counts, reader);
  await checkReadable(database, file, counts, reader);
};
