import { open } from 'node:fs/promises';
import { StageError } from '../../schemas/errors.ts';
import type { SourceTable } from './layout.ts';

/** A file with rows: its name for messages, where it lies, and the format that its name states. */
export interface DataFile {
  name: string;
  path: string;
  format: 'csv' | 'csv.gz' | 'parquet' | 'json';
}

const separators = { ';': 'semicolons', '\t': 'tabs', '|': 'vertical bars' };
const looksLikeName = (cell: string) => /^[A-Za-z_][\w .-]{0,63}$/.test(cell);

const malformed = (message: string) => new StageError('SourceMalformed', message);

/** Source columns a table needs, in the order of the layout. */
export const neededColumns = (table: SourceTable): string[] => [
  ...new Set(Object.values(table.columns).map((column) => column.from)),
];

/** Throws SourceMalformed where a header of one cell holds another separator than commas. */
export const checkSeparator = ({ name }: DataFile, cells: readonly string[]): void => {
  const separator = Object.entries(separators).find(
    ([mark]) => cells.length === 1 && cells[0]?.includes(mark),
  );
  if (separator)
    throw malformed(`${name} is separated by ${separator[1]}; expected commas. Export it with commas`);
};

/** Throws SourceMalformed where two columns have one name; cells without a name are no columns. */
export const checkNames = ({ name }: DataFile, names: readonly string[]): void => {
  const twice = names.find((column, at) => column !== '' && names.indexOf(column) !== at);
  if (twice !== undefined)
    throw malformed(`${name} has more than one column ${looksLikeName(twice) ? twice : 'of one name'}`);
};

/**
 * Checks the column names of a file and gives them trimmed and in lower case. Throws SourceMalformed. Cells
 * are only quoted in messages where they look like names: a file without a header starts with a patient.
 */
export const checkColumns = (file: DataFile & { table: SourceTable }, cells: string[]): string[] => {
  const names = cells.map((cell) => cell.trim().toLowerCase());
  const needed = neededColumns(file.table);
  const missing = needed.filter((column) => !names.includes(column));
  if (missing.length) {
    checkSeparator(file, cells);
    if (missing.length === needed.length)
      throw malformed(
        `${file.name} names none of its columns in line 1: does it lack its header line? Expected: ${needed.join(', ')}`,
      );
    throw malformed(
      `${file.name} has no column ${missing.join(', no ')}. It has: ${names.filter(looksLikeName).join(', ')}`,
    );
  }
  checkNames(file, names);
  return names;
};

const formats: { bytes: number[]; is: string; format?: DataFile['format']; fix: string }[] = [
  { bytes: [0x1f, 0x8b], is: 'gzip', format: 'csv.gz', fix: 'Name it .csv.gz' },
  { bytes: [0x50, 0x41, 0x52, 0x31], is: 'Parquet', format: 'parquet', fix: 'Name it .parquet' },
  {
    bytes: [0x50, 0x4b, 0x03, 0x04],
    is: 'a zip archive or a workbook',
    fix: 'Unpack it or export it as CSV',
  },
  { bytes: [0x42, 0x5a, 0x68], is: 'bzip2', fix: 'Unpack it' },
  { bytes: [0xfd, 0x37, 0x7a, 0x58], is: 'xz', fix: 'Unpack it' },
  { bytes: [0x28, 0xb5, 0x2f, 0xfd], is: 'zstd', fix: 'Unpack it' },
  { bytes: [0xff, 0xfe], is: 'UTF-16 text', fix: 'Export it as UTF-8' },
  { bytes: [0xfe, 0xff], is: 'UTF-16 text', fix: 'Export it as UTF-8' },
  { bytes: [...Buffer.from('<!')], is: 'a web page or XML', fix: 'Was it downloaded without signing in?' },
  { bytes: [...Buffer.from('<htm')], is: 'a web page', fix: 'Was it downloaded without signing in?' },
  {
    bytes: [...Buffer.from('version https:')],
    is: 'a pointer of Git LFS',
    fix: 'Fetch the file itself (git lfs pull)',
  },
];

/**
 * Throws SourceMalformed where the first bytes of a file are not those of the format in its name, or where
 * there are none.
 */
export const checkFirstBytes = async (file: DataFile): Promise<void> => {
  const handle = await open(file.path);
  const first = Buffer.alloc(16);
  const { bytesRead } = await handle.read(first).finally(() => handle.close());
  if (bytesRead === 0) throw malformed(`${file.name} is empty: there is not even a header line`);
  const found = formats.find(({ bytes }) => bytes.every((byte, at) => first[at] === byte));
  if (found && found.format !== file.format)
    throw malformed(`${file.name} is ${found.is}, not ${file.format}. ${found.fix}`);
  if (!found && (file.format === 'csv.gz' || file.format === 'parquet'))
    throw malformed(
      `${file.name} is not ${file.format}: its first bytes are those of another format. Is it plain .csv?`,
    );
};
