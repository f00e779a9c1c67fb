import { eventTables } from '../../schemas/events.ts';
import { identifier } from '../kernel/duckdb.ts';
import { cellSql, reads } from './cells.ts';
import type { SourceColumn, SourceTable } from './layout.ts';
import type { NoteKind, RejectReason } from './reasons.ts';

/** A condition that rejects rows; its place in the list is what the `fault` column holds. */
interface Fault {
  reason: RejectReason;
  detail: string;
  when: string;
}

/** A condition that is counted over kept rows; its place in the list is the number of its `note` column. */
interface RowNote {
  kind: NoteKind;
  /** Source column, where the note is about one. */
  column?: string;
  when: string;
}

const cell = (target: string) => identifier(`cell_${target}`);

const cellFaults = (target: string, { from, read, need }: SourceColumn): Fault[] => {
  const found: Fault[] = [];
  const { fault } = reads[read];
  if (need === 'must')
    found.push({
      reason: 'missing-value',
      detail: `column ${from} is empty`,
      when: `${cell(target)} IS NULL`,
    });
  if (need !== 'may' && fault)
    found.push({
      reason: fault.reason,
      detail: `column ${from} ${fault.is}`,
      when: `${cell(target)} IS NOT NULL AND ${target} IS NULL`,
    });
  return found;
};

/** Every fault of a table but a repeated key, in the order they are looked for. */
export const faultsOf = (table: SourceTable): Fault[] => [
  ...Object.entries(table.columns).flatMap(([target, column]) => cellFaults(target, column)),
  ...(table.checks ?? []),
];

/** The repeated-key fault of a table that has a key; it comes after all others. */
export const keyFault = ({ key = [], columns }: SourceTable): Omit<Fault, 'when'> => ({
  reason: 'repeated-key',
  detail: `column ${key.map((target) => columns[target]?.from).join(', ')} is on an earlier line, too`,
});

/** Every note of a table that one row alone can earn. */
export const notesOf = (table: SourceTable): RowNote[] => [
  ...Object.entries(table.columns).flatMap(([target, { from, read, need }]): RowNote[] =>
    need === 'may' && reads[read].fault
      ? [
          {
            kind: 'unreadable-cell',
            column: from,
            when: `${cell(target)} IS NOT NULL AND ${target} IS NULL`,
          },
        ]
      : [],
  ),
  ...(table.notes ?? []),
];

const joins = { patients: 'subject_id', admissions: 'hadm_id' };

/** Rows of the source as `line` and `cell_<target>`; `reader` gives trimmed text, and NULL for empty text. */
export const cellsSql = (table: SourceTable, reader: string): string => {
  const cells = Object.entries(table.columns).map(
    ([target, { from, read }]) => `${cellSql(identifier(from), read)} AS ${cell(target)}`,
  );
  return `SELECT line, ${cells.join(', ')} FROM ${reader}`;
};

/**
 * Fills table `staged`: line, the typed columns, `fault` (index into `faultsOf`, one more for a repeated key,
 * NULL for a good row) and one `note_<n>` per entry of `notesOf`. Order is the source's.
 */
export const stagingSql = (table: SourceTable, reader: string): string => {
  const targets = Object.keys(table.columns);
  const values = Object.entries(table.columns).map(
    ([target, { read }]) => `${reads[read].sql(cell(target))} AS ${target}`,
  );
  const faults = faultsOf(table);
  const cases = faults.map(({ when }, index) => `WHEN ${when} THEN ${index}`);
  const notes = notesOf(table).map(({ when }, index) => `coalesce(${when}, false) AS note_${index}`);
  const noteNames = notes.map((_, index) => `note_${index}`);
  const refers = table.refersTo ?? [];
  const key = table.key?.join(', ');
  const repeated = `row_number() OVER (PARTITION BY ${key}, fault IS NULL ORDER BY line) > 1`;
  // Joined rows come along as structs, so that `subject_id` is the row's own and `patients.subject_id` is
  // not.
  return `CREATE OR REPLACE TABLE staged AS
    WITH cells AS (${cellsSql(table, reader)}),
    typed AS (SELECT *, ${values.join(', ')} FROM cells),
    joined AS (SELECT ${['typed.*', ...refers].join(', ')} FROM typed
      ${refers.map((name) => `LEFT JOIN ${name} ON ${name}.${joins[name]} = typed.${joins[name]}`).join(' ')}),
    checked AS (SELECT ${['line', ...targets, ...notes].join(', ')}, CASE ${cases.join(' ')} END AS fault FROM joined)
    SELECT ${['line', ...targets, ...noteNames].join(', ')},
      ${key ? `CASE WHEN fault IS NULL AND ${repeated} THEN ${faults.length} ELSE fault END` : 'fault'} AS fault
    FROM checked ${key ? 'ORDER BY line' : ''}`;
};

/** The kept rows of `staged` in the columns and types of the event table. */
export const keptSql = (table: SourceTable): string => {
  const columns = Object.entries(eventTables[table.target]).map(
    ([name, type]) => `CAST(${name} AS ${type}) AS ${name}`,
  );
  return `SELECT ${columns.join(', ')} FROM staged WHERE fault IS NULL`;
};

/** No rows, in the columns and types of an event table. */
export const emptySql = (target: keyof typeof eventTables): string => {
  const columns = Object.entries(eventTables[target]).map(([name, type]) => `NULL::${type} AS ${name}`);
  return `SELECT ${columns.join(', ')} WHERE false`;
};

/** One row of numbers about `staged`: `kept`, `note_<n>` over kept rows. */
export const stagedCountSql = (table: SourceTable): string => {
  const notes = notesOf(table).map(
    (_, index) => `count(*) FILTER (fault IS NULL AND note_${index}) AS note_${index}`,
  );
  return `SELECT ${['count(*) FILTER (fault IS NULL) AS kept', ...notes].join(', ')} FROM staged`;
};
