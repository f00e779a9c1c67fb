import { literal } from '../kernel/duckdb.ts';
import type { RejectReason } from './reasons.ts';

export type ReadName = 'id' | 'time' | 'number' | 'flag' | 'sex' | 'code' | 'text' | 'drug' | 'ndc';

/** How text becomes a value. `sql` takes a trimmed, non-empty cell and gives NULL where it is unreadable. */
interface Read {
  sql(cell: string): string;
  /** For the error message where no cell of a column can be read. */
  expected: string;
  /** Reason and wording where a row cannot do without the cell; absent where any text will do. */
  fault?: { reason: RejectReason; is: string };
  /** True where a source column of a number type would have lost leading zeros. */
  keepsZeros?: true;
}

const emptyWords = ['NA', 'NaN', 'nan', 'NaT', '<NA>', 'None', 'NULL', 'null', '\\N'];
const wordList = emptyWords.map(literal).join(', ');
const known = (cell: string) => `CASE WHEN ${cell} NOT IN (${wordList}) THEN ${cell} END`;

/**
 * True for the words that R, Python and pandas write into empty cells; only where such a word cannot be a
 * value.
 */
export const isEmptyWord = (text: string): boolean => emptyWords.includes(text.trim());

/** SQL that is true where a cell of any type is NULL, blank or one of those words. */
export const emptySql = (cell: string): string =>
  `coalesce(trim(CAST(${cell} AS VARCHAR)) IN ('', ${wordList}), true)`;
const matching = (cell: string, pattern: string, value: string) =>
  `CASE WHEN regexp_full_match(${cell}, '${pattern}') THEN ${value} END`;

const text: Read = { sql: (cell) => cell, expected: 'text' };

/**
 * Every way a cell is read. DuckDB's own casts alone are too kind: 1.5 → 2, `epoch` → 1970, 64-01-01 → year
 * 64.
 */
export const reads: Record<ReadName, Read> = {
  /** `142345` or, as pandas writes columns with gaps, `142345.0`. */
  id: {
    sql: (cell) => matching(cell, String.raw`[0-9]+(\.0*)?`, `TRY_CAST(${cell} AS INTEGER)`),
    expected: 'a whole number',
    fault: { reason: 'not-an-integer', is: 'is not an integer' },
  },
  time: {
    sql: (cell) =>
      matching(
        cell,
        String.raw`[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?`,
        `TRY_CAST(${cell} AS TIMESTAMP)`,
      ),
    expected: 'YYYY-MM-DD HH:MM:SS',
    fault: { reason: 'not-a-timestamp', is: 'is not a timestamp' },
  },
  number: {
    sql: (cell) => {
      const value = `TRY_CAST(${cell} AS DOUBLE)`;
      const pattern = String.raw`[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?`;
      return matching(cell, pattern, `CASE WHEN isfinite(${value}) THEN ${value} END`);
    },
    expected: 'a number with a decimal point',
    fault: { reason: 'missing-value', is: 'is not a number' },
  },
  flag: {
    sql: (cell) => `CASE lower(${cell}) WHEN '1' THEN true WHEN 'true' THEN true
      WHEN '0' THEN false WHEN 'false' THEN false END`,
    expected: '0 or 1',
    fault: { reason: 'missing-value', is: 'is not 0 or 1' },
  },
  sex: {
    sql: (cell) => `CASE WHEN upper(${cell}) IN ('M', 'F') THEN upper(${cell}) END`,
    expected: 'M or F',
    fault: { reason: 'missing-value', is: 'is not M or F' },
  },
  code: {
    sql: (cell) => matching(cell, '[A-Za-z0-9]+', `upper(${cell})`),
    expected: 'letters and digits',
    fault: { reason: 'not-a-code', is: 'is not a code of letters and digits' },
    keepsZeros: true,
  },
  text,
  /** Spellings of a drug that differ in case and blanks only become one. */
  drug: { ...text, sql: (cell) => String.raw`lower(regexp_replace(${cell}, '\s+', ' ', 'g'))` },
  ndc: { ...text, sql: (cell) => matching(cell, '0*[1-9].*', cell), keepsZeros: true },
};

const words: readonly ReadName[] = ['text', 'drug'];

/** A column of a reader as a cell: words that stand for emptiness are NULL where they cannot be a value. */
export const cellSql = (column: string, read: ReadName): string =>
  words.includes(read) ? column : known(column);

/** A cell with letters and digits masked: shows its form and not its content. */
export const form = (cell: string): string =>
  `left(regexp_replace(regexp_replace(${cell}, '[0-9]', '9', 'g'), '\\pL', 'a', 'g'), 40)`;
