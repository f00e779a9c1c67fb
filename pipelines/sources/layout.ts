import type { EventTable } from '../../schemas/events.ts';
import type { ReadName } from './cells.ts';
import type { NoteKind, RejectReason } from './reasons.ts';

type TargetTable = Exclude<EventTable, 'rejects'>;

/** One column of an event table and where it comes from. */
export interface SourceColumn {
  /** Column of the source table, in lower case. */
  from: string;
  read: ReadName;
  /**
   * `must`: the row is rejected if the cell is empty or unreadable. `valid`: the cell may be empty, but the
   * row is rejected if it is unreadable. `may`: an unreadable cell becomes NULL and is noted.
   */
  need: 'must' | 'valid' | 'may';
}

/** Rejects a row where `when` holds; SQL over the typed columns and the tables of `refersTo`. */
export interface Check {
  reason: RejectReason;
  when: string;
  /** Names columns, never values. */
  detail: string;
}

/** One source table and the event table it becomes. */
export interface SourceTable {
  /** Name of the file without its ending; case does not matter. */
  source: string;
  target: TargetTable;
  /** Per column of the event table. */
  columns: Record<string, SourceColumn>;
  /** Left-joined under these names, each on its own key: `patients.birth_time` may be used in SQL below. */
  refersTo?: readonly ('patients' | 'admissions')[];
  /** Columns whose values together are unique among kept rows. */
  key?: readonly string[];
  /** The dictionary, an earlier event table, that should hold the codes of column `code`. */
  titledBy?: TargetTable;
  /** Columns whose repetition is noted. */
  repeats?: readonly string[];
  /** True where a cohort cannot be made of an empty table. */
  needsRows?: boolean;
  checks?: readonly Check[];
  notes?: readonly { kind: NoteKind; when: string }[];
}

/**
 * What a source folder looks like. A further source is a further value of this type; where its cells, checks
 * or notes are of a new kind, `cells.ts` and `reasons.ts` grow with it.
 */
export interface SourceLayout {
  name: string;
  /** In the order they are read: a table comes after those it refers to. */
  tables: readonly SourceTable[];
}
