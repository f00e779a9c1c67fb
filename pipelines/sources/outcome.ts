import { StageError } from '../../schemas/errors.ts';
import type { Extraction } from '../../schemas/extraction.ts';
import { type Database, identifier, literal, steadily } from '../kernel/duckdb.ts';
import { form, reads } from './cells.ts';
import type { SourceColumn, SourceTable } from './layout.ts';
import type { SourceFile } from './source-folder.ts';
import { cellsSql, notesOf, stagedCountSql } from './staging-sql.ts';

/** What became of the rows of one table. */
type Counts = Pick<Extraction['tables'][string], 'read' | 'kept' | 'rejected' | 'notes'>;

// Fewer rows, or cells of a column, may be wrong by chance.
const enough = 10;
/**
 * The largest share of rejected rows of a table, and of unreadable cells of a column, unless the user sets
 * another.
 */
const defaultLimit = 0.2;
// Spreadsheets strip every leading zero: with these many codes that had one, it is no accident.
const enoughZeros = 3;

const percent = (share: number): string => `${Math.round(100 * share)} %`;

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

/** The form of the first cell that cannot be read. */
const formOf = async (database: Database, table: SourceTable, reader: string, target: string) => {
  const cell = identifier(`cell_${target}`);
  const read = table.columns[target]?.read ?? 'text';
  const [row] = await database.rows<{ form: string }>(
    `SELECT ${form(cell)} AS form FROM (${cellsSql(table, reader)})
     WHERE ${cell} IS NOT NULL AND ${reads[read].sql(cell)} IS NULL LIMIT 1`,
  );
  return row ? `, found the form ${row.form}` : '';
};

const expectation = async (
  database: Database,
  table: SourceTable,
  reader: string,
  entry: [string, SourceColumn],
) => `expected ${reads[entry[1].read].expected}${await formOf(database, table, reader, entry[0])}`;

const checkKept = async (
  database: Database,
  file: SourceFile,
  counts: Counts,
  { reader, limit }: { reader: string; limit: number },
) => {
  const { table, name } = file;
  const lost = counts.read - counts.kept;
  if (lost === 0 || (counts.kept > 0 && (lost < enough || lost <= limit * counts.read))) return;
  const [worst] = await database.rows<{ detail: string; n: number; line: number }>(
    `SELECT detail, count(*) AS n, min(line) AS line FROM rejects
     WHERE source_table = ${literal(table.source)} GROUP BY detail ORDER BY n DESC, detail LIMIT 1`,
  );
  const column = Object.entries(table.columns).find(
    ([, { from, read }]) => reads[read].fault && worst?.detail === `column ${from} ${reads[read].fault.is}`,
  );
  const hint = column ? `; ${await expectation(database, table, reader, column)}` : '';
  const share = counts.kept === 0 ? `all ${counts.read} rows` : `${lost} of ${counts.read} rows`;
  const way = counts.kept === 0 ? '' : `. ${limitText(limit, 'rejected rows')}`;
  throw new StageError(
    'SourceMalformed',
    `${name}: ${share} were rejected, ${worst?.n} because ${worst?.detail} (first on line ${worst?.line})${hint}${way}`,
  );
};

const limitText = (limit: number, of: string): string =>
  `At most ${percent(limit)} ${of} are accepted; correct the source, or raise rejectLimit in the run config`;

/**
 * Throws SourceMalformed where the dictionary shows that codes lost their zeros, or are those of another
 * table.
 */
const checkCodes = async (database: Database, { table, name }: SourceFile) => {
  if (!table.titledBy) return;
  const dictionary = identifier(table.titledBy);
  const [found] = await database.rows<Record<'titles' | 'codes' | 'titled' | 'zeros' | 'shorter', number>>(
    `SELECT (SELECT count(*) FROM ${dictionary}) AS titles, count(*) AS codes,
       count(*) FILTER (code IN (SELECT code FROM ${dictionary})) AS titled,
       count(*) FILTER (code LIKE '0%') AS zeros,
       count(*) FILTER (code NOT IN (SELECT code FROM ${dictionary}) AND
         ('0' || code IN (SELECT code FROM ${dictionary}) OR '00' || code IN (SELECT code FROM ${dictionary}))) AS shorter
     FROM (SELECT DISTINCT code FROM staged WHERE fault IS NULL)`,
  );
  if (!found || found.titles === 0) return;
  const { codes, titled, zeros, shorter } = found;
  if (zeros === 0 && shorter >= enoughZeros)
    throw new StageError(
      'SourceMalformed',
      `${name}: no code begins with a zero, and ${shorter} codes are in the dictionary only with zeros before them: a ` +
        'spreadsheet has removed them. Export the table again with codes as text',
    );
  if (codes >= enough && titled < codes / 2)
    throw new StageError(
      'SourceMalformed',
      `${name}: ${codes - titled} of ${codes} codes are not in the dictionary beside it. Is it the table of other codes ` +
        '(ICD-10, or diagnoses and procedures exchanged)? Without a dictionary any code is accepted',
    );
};

const checkReadable = async (
  database: Database,
  { table, name }: SourceFile,
  counts: Counts,
  { reader, limit }: { reader: string; limit: number },
) => {
  for (const entry of Object.entries(table.columns)) {
    const [target, { from }] = entry;
    const unreadable = counts.notes[`unreadable-cell ${from}`] ?? 0;
    if (unreadable < enough) continue;
    const [readable] = await database.rows<{ n: number }>(`SELECT count(${target}) AS n FROM staged`);
    const cells = unreadable + (readable?.n ?? 0);
    if (unreadable <= limit * cells) continue;
    const expected = await expectation(database, table, reader, entry);
    throw new StageError(
      'SourceMalformed',
      unreadable === cells
        ? `${name}: not one of ${cells} cells of column ${from} can be read; ${expected}`
        : `${name}: ${unreadable} of ${cells} cells of column ${from} cannot be read; ${expected}. ` +
            limitText(limit, 'unreadable cells'),
    );
  }
};

/**
 * Throws SourceMalformed where what came out cannot be meant: no patients, no row kept, more rows rejected or
 * more cells of a column unreadable than `limit` (a share), codes that the dictionary beside them
 * contradicts.
 */
export const checkOutcome = async (
  database: Database,
  file: SourceFile,
  counts: Counts,
  { reader, limit = defaultLimit }: { reader: string; limit?: number | undefined },
): Promise<void> => {
  if (counts.read === 0 && file.table.needsRows)
    throw new StageError(
      'SourceMalformed',
      `${file.name} has a header but no rows; a cohort needs ${file.table.target}`,
    );
  await checkKept(database, file, counts, { reader, limit });
  await checkReadable(database, file, counts, { reader, limit });
  await checkCodes(database, file);
};
