import { StageError } from '../../../schemas/errors.ts';
import type { TableFormat } from '../../../schemas/stages/export.ts';
import type { Database } from '../../kernel/duckdb.ts';
import type { TokenCohort } from '../../patients/visit-columns.ts';

export interface LayoutColumn {
  name: string;
  /** DuckDB's type; in CSV, cells of VARCHAR columns are kept from running as a formula. */
  type: string;
  /** For the data dictionary: what it holds and whether it is invented. */
  meaning: string;
}

export interface LayoutFile {
  /** Relative, with `/`. Of format `table` without its end: `.csv.gz` or `.parquet` is put behind it. */
  path: string;
  /**
   * `table`: as the user chooses. `json`: an array of objects. `lines`: one column of text, a line each, as
   * it is.
   */
  format: 'table' | 'parquet' | 'csv.gz' | 'ndjson' | 'json' | 'lines';
  columns: readonly LayoutColumn[];
  /**
   * A SELECT with ORDER BY over the tables of `exportTables`, with these columns in this order; each is cast
   * to its type.
   */
  sql: string;
}

/** What a layout may know of the data set before its files are written. */
export interface DataSet {
  /** Name of the generator. */
  generator: string;
  /** Names of the labels, in the cohort's order. */
  labels: readonly string[];
  /** Tables as in `exportTables`. */
  database: Database;
  cohort: TokenCohort;
}

/** One way to lay out a data set for the code that reads it. */
export interface ExportLayout {
  /** Also the name of the file that defines it. */
  name: string;
  title: string;
  /** Who reads it, as a clause: `PyHealth's MIMIC3Dataset`. */
  reader: string;
  /** Formats of its tables, the default first. Empty where no file is a `table`. */
  formats: readonly TableFormat[];
  /** What it cannot hold, as clauses. */
  loses: readonly string[];
  /** What is invented beyond dates, stays and identifiers, which always are. */
  invents: readonly string[];
  /** Lines of Python that read it, in its folder. */
  example(format: TableFormat | undefined): readonly string[];
  files(
    data: DataSet,
    format: TableFormat | undefined,
  ): readonly LayoutFile[] | Promise<readonly LayoutFile[]>;
  /** Further files by path, such as `dataset.json`; equal cohorts must give equal bytes. */
  extra?(data: DataSet): Promise<Record<string, string | Uint8Array | AsyncIterable<string>>>;
  /** For the data dictionary: what those files hold, by path. */
  extraColumns?: Readonly<Record<string, readonly LayoutColumn[]>>;
  /** SQL with one number each: what of this cohort was left out, by its clause for the README. */
  lost?: Readonly<Record<string, string>>;
}

/** A layout; the file in `layouts/` that exports it by default is all it takes to add one. */
export const defineLayout = (layout: ExportLayout): ExportLayout => layout;

/** Name, type and meaning of a column. */
export const column = (name: string, type: string, meaning: string): LayoutColumn => ({
  name,
  type,
  meaning,
});

/** End of the names of tables in a format. */
export const tableEnd = (format: TableFormat): string => (format === 'csv' ? '.csv.gz' : '.parquet');

/** The format to write in. Throws InvalidUsage for one that the layout lacks. */
export const formatOf = (
  { name, formats }: ExportLayout,
  asked: TableFormat | undefined,
): TableFormat | undefined => {
  if (asked === undefined) return formats[0];
  if (formats.includes(asked)) return asked;
  throw new StageError(
    'InvalidUsage',
    formats.length === 0
      ? `layout ${name} has a format of its own; leave --format out`
      : `layout ${name} can be written as ${formats.join(' or ')}, and not as ${asked}`,
  );
};
