import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StageError } from '../../../schemas/errors.ts';
import type { Progress } from '../../../schemas/progress.ts';
import type { TableFormat } from '../../../schemas/stages/export.ts';
import { type Database, identifier, literal, openDatabase, steadily } from '../../kernel/duckdb.ts';
import { patientCount, type TokenCohort, visitCount } from '../../patients/visit-columns.ts';
import { safeCell } from '../read/formula-cells.ts';
import {
  type Companions,
  companionFiles,
  type ExportOrigin,
  markText,
  type WrittenFile,
} from './companions.ts';
import { stageTables } from './export-tables.ts';
import { inventFacts } from './invented-facts.ts';
import { type DataSet, type ExportLayout, formatOf, type LayoutFile, tableEnd } from './layout.ts';

/** What of a cohort is written, and how. */
export interface ExportRequest {
  cohort: TokenCohort;
  layout: ExportLayout;
  /** Of the tables; default: the layout's first. */
  format?: TableFormat | undefined;
  /** Of all that is invented. */
  seed: number;
  origin: ExportOrigin;
}

/** Where it is written. The folder is there and empty; `scratch` is on a disk with room. */
interface ExportPlace {
  folder: string;
  scratch: string;
}

export interface ExportSummary {
  layout: string;
  format?: TableFormat | undefined;
  patients: number;
  visits: number;
  /** Rows of the tables. */
  rows: number;
  files: string[];
  /** What this cohort lost in this layout, as clauses. */
  lost: string[];
}

const checkSynthetic = ({ generator, split }: TokenCohort): void => {
  if (generator === undefined || split !== undefined)
    throw new StageError(
      'InvalidUsage',
      'this is a cohort of real patients; expected a synthetic one: real patients are never exported',
    );
};

const isCsv = (format: string): boolean => format === 'csv.gz';

const selectOf = ({ columns, sql }: LayoutFile, format: string): string => {
  const cells = columns.map(({ name, type }) => {
    const quoted = identifier(name);
    return isCsv(format) && type === 'VARCHAR'
      ? `${safeCell(quoted)} AS ${quoted}`
      : `CAST(${quoted} AS ${type}) AS ${quoted}`;
  });
  return `SELECT ${cells.join(', ')} FROM (${sql})`;
};

const copyOptions = (format: string, mark: Record<string, string>): string => {
  switch (format) {
    case 'csv.gz':
      return `FORMAT csv, HEADER, COMPRESSION gzip`;
    case 'parquet': {
      const pairs = Object.entries(mark).map(([key, value]) => `${identifier(key)}: ${literal(value)}`);
      // Every reader takes Snappy; old ones and those in JavaScript lack zstd. Out of a column with a dictionary
      // parquetjs-lite 0.8.7 makes text of numbers, and fails on times.
      return `FORMAT parquet, COMPRESSION snappy, DICTIONARY_SIZE_LIMIT 0, KV_METADATA {${pairs.join(', ')}}`;
    }
    case 'json':
      return 'FORMAT json, ARRAY true';
    case 'lines':
      // No character quotes or separates: the one column is the line.
      return `FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\u001f'`;
    default:
      return 'FORMAT json';
  }
};

async function* writeFiles(
  database: Database,
  files: readonly LayoutFile[],
  request: ExportRequest & { format: TableFormat | undefined },
  folder: string,
): AsyncGenerator<Progress, WrittenFile[]> {
  const written: WrittenFile[] = [];
  const mark = {
    synthetic: 'true',
    generator: request.origin.generator,
    layout: request.layout.name,
    note: markText,
  };
  for (const [step, file] of files.entries()) {
    const { format: chosen = 'csv' } = request;
    const path = file.format === 'table' ? `${file.path}${tableEnd(chosen)}` : file.path;
    const format = file.format === 'table' ? (chosen === 'csv' ? 'csv.gz' : chosen) : file.format;
    const progress = { step: step + 1, of: files.length + 2, phase: path };
    yield progress;
    await mkdir(dirname(join(folder, path)), { recursive: true });
    const copy = database.rows<{ Count: number }>(
      `COPY (${selectOf(file, format)}) TO ${literal(join(folder, path))} (${copyOptions(format, mark)})`,
    );
    const beats = steadily(database, copy);
    let turn = await beats.next();
    for (; !turn.done; turn = await beats.next()) yield progress;
    written.push({ path, format, columns: file.columns, rows: turn.value[0]?.Count ?? 0 });
  }
  return written;
}

const lostOf = async (database: Database, { lost = {} }: ExportLayout): Promise<string[]> => {
  const clauses: string[] = [];
  for (const [clause, sql] of Object.entries(lost)) {
    const [row] = await database.rows<Record<string, number>>(sql);
    const count = Object.values(row ?? {})[0] ?? 0;
    if (count > 0) clauses.push(`${count} ${clause}`);
  }
  return clauses;
};

/**
 * Writes a synthetic cohort into an empty folder as a layout asks for, with `README.md`,
 * `data-dictionary.csv`, `lineage.json` and `SYNTHETIC.txt` beside it. Equal requests give equal bytes. Throws
 * InvalidUsage for a real cohort and for a format that the layout lacks.
 */
export async function* writeExport(
  request: ExportRequest,
  { folder, scratch }: ExportPlace,
): AsyncGenerator<Progress, ExportSummary> {
  const { cohort, layout, seed, origin } = request;
  checkSynthetic(cohort);
  const format = formatOf(layout, request.format);
  yield { step: 0, of: 1, phase: 'dates and identifiers' };
  const facts = inventFacts(cohort, seed);
  await mkdir(scratch, { recursive: true });
  const database = await openDatabase(scratch, [folder]);
  try {
    await stageTables(database, scratch, cohort, facts);
    const data: DataSet = { generator: origin.generator, labels: cohort.vocabulary.labels, database, cohort };
    const files = await layout.files(data, format);
    const written = yield* writeFiles(database, files, { ...request, format }, folder);
    for (const [path, content] of Object.entries((await layout.extra?.(data)) ?? {})) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
      written.push({ path, format: 'extra', columns: layout.extraColumns?.[path] ?? [] });
    }
    const lost = await lostOf(database, layout);
    const about: Companions = {
      layout,
      format,
      seed,
      origin,
      written,
      lost,
      counts: { patients: patientCount(cohort), visits: visitCount(cohort), ...facts.counts },
    };
    for (const [path, content] of Object.entries(companionFiles(about)))
      await writeFile(join(folder, path), content);
    return {
      layout: layout.name,
      format,
      patients: patientCount(cohort),
      visits: visitCount(cohort),
      rows: written.reduce((sum, { rows = 0 }) => sum + rows, 0),
      files: [...written.map(({ path }) => path), ...companionNames],
      lost,
    };
  } finally {
    database.close();
  }
}

const companionNames = ['README.md', 'data-dictionary.csv', 'lineage.json', 'SYNTHETIC.txt'];
