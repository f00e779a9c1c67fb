import { StageError } from '../../schemas/errors.ts';
import { type Database, fileLiteral, identifier } from '../kernel/duckdb.ts';
import { reads } from './cells.ts';
import { checkColumns, neededColumns } from './header.ts';
import type { SourceFile } from './source-folder.ts';

const plain =
  /^(VARCHAR|BOOLEAN|DATE|TIMESTAMP.*|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*|ENUM.*)$/;
const blanks = "' ' || chr(9) || chr(10) || chr(13)";
const numeric = /INT|FLOAT|DOUBLE|DECIMAL/;

/**
 * SQL that reads a Parquet source as trimmed text, with the row number (from 1) as `line`, and the number of
 * rows. Throws SourceMalformed for a damaged file, a missing column, or a type that cannot be right: codes
 * kept as numbers have lost their zeros.
 */
export const openParquet = async (
  database: Database,
  file: SourceFile,
): Promise<{ reader: string; read: number }> => {
  const source = `read_parquet(${fileLiteral(file.path)}, file_row_number = true)`;
  const described = await database
    .rows<{ column_name: string; column_type: string }>(`DESCRIBE SELECT * FROM ${source}`)
    .catch((error) => {
      throw toParquetError(error, file);
    });
  const columns = described.filter((column) => column.column_name !== 'file_row_number');
  const names = checkColumns(
    file,
    columns.map((column) => column.column_name),
  );
  for (const { from, read } of Object.values(file.table.columns)) {
    const type = columns[names.indexOf(from)]?.column_type ?? '';
    if (!plain.test(type))
      throw new StageError(
        'SourceMalformed',
        `${file.name} has column ${from} of type ${type.split('(')[0]}; expected ${reads[read].expected}`,
      );
    if (reads[read].keepsZeros && numeric.test(type))
      throw new StageError(
        'SourceMalformed',
        `${file.name} has column ${from} of type ${type}: leading zeros of codes are lost. Export it as text`,
      );
  }
  const cells = neededColumns(file.table).map((name) => {
    const quoted = identifier(columns[names.indexOf(name)]?.column_name ?? name);
    return `nullif(trim(CAST(${quoted} AS VARCHAR), ${blanks}), '') AS ${identifier(name)}`;
  });
  const [counted] = await database.rows<{ n: number }>(`SELECT count(*) AS n FROM ${source}`);
  const reader = `(SELECT file_row_number + 1 AS line, ${cells.join(', ')} FROM ${source})`;
  return { reader, read: counted?.n ?? 0 };
};

/**
 * What a failure of DuckDB means while it reads a Parquet source: a damaged file, unless the machine is at
 * its end.
 */
export const toParquetError = (error: unknown, file: SourceFile): unknown => {
  if (error instanceof Error && /Out of Memory|No space left/.test(error.message)) return error;
  return new StageError(
    'SourceMalformed',
    `${file.name} cannot be read as Parquet: it is damaged or cut off. Copy it again`,
  );
};
