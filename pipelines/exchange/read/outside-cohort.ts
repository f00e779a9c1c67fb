import type { Modality } from '../../../schemas/ehr.ts';
import { StageError } from '../../../schemas/errors.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import type { Database } from '../../kernel/duckdb.ts';
import type { TokenCohort } from '../../patients/visit-columns.ts';

/** One code with its modality, before it has a token. */
export type OutsideCode = Vocabulary['codes'][number];

/**
 * A cohort as it came: tokens count its own codes, sorted by modality and code unless it brought an order.
 */
export interface OutsideCohort extends TokenCohort {
  /** False where labels have a position only; they are then called `label 0`, `label 1`, … */
  labelsNamed: boolean;
  /** How it was read and what was left out, in sentences that name no patient. */
  notes: string[];
}

/** What lies at a path. */
export interface Place {
  path: string;
  /** Last part of the path, for messages. */
  name: string;
  kind: 'file' | 'folder';
  /** Files of a folder, relative and with `/`; of a file: itself. */
  files: string[];
  /** Absolute paths of the table's shards, all of one format. Empty where it is no table. */
  tables: string[];
  /** SQL that reads the table; empty where it is no table. */
  reader: string;
  /** Column → DuckDB type, names in lower case but for `label:<Name>`; empty where it is no table. */
  columns: Map<string, string>;
}

export interface ReadTools {
  /** Sees the place and the scratch folder only. */
  database: Database;
  /** A folder of this reading's own, on a disk with room. */
  scratch: string;
  modalities: readonly Modality[];
  /** A count of patients, visits or events for a note; small ones are suppressed. */
  inWords(count: number): string;
}

/** One way to lay out a cohort; it knows its own by names of files or columns. */
export interface CohortLayout {
  name: string;
  /** How it is recognized, as a clause for messages and docs. */
  about: string;
  /**
   * Columns without which a table is not this layout; every file of it must have them. Absent: it is no
   * table.
   */
  columns?: readonly string[];
  recognizes(place: Place): boolean;
  read(place: Place, tools: ReadTools): Promise<OutsideCohort>;
}

/** Whether a table has all of these columns. */
export const hasColumns = ({ columns }: Place, wanted: readonly string[]): boolean =>
  wanted.every((column) => columns.has(column));

export const malformed = (message: string): StageError => new StageError('SourceMalformed', message);

/** Names of labels that have a position only. */
export const positionalLabels = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `label ${i}`);

/** Structural text that may stand in a message; a cell of a patient might not look like a name. */
const looksLikeName = (text: string): boolean => /^[A-Za-z_][\w .:-]{0,63}$/.test(text);

/** `a, b and 3 more`, quoting only what looks like a name. */
export const namesText = (names: readonly string[], limit = 24): string => {
  const fit = names.filter(looksLikeName);
  const shown = fit.slice(0, limit).join(', ');
  const more = names.length - Math.min(fit.length, limit);
  if (more === 0) return shown || 'nothing';
  return shown ? `${shown} and ${more} more` : `${more} that do not look like names`;
};
