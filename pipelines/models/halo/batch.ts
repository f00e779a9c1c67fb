import type { VisitColumns } from '../../cohort/visit-columns.ts';
import { causalMask, type RowGrid } from '../../nn/attention.ts';
import type { Ops } from '../../nn/ops.ts';
import { type Layout, recordSets } from './architecture.ts';

/**
 * Some records with nothing padded: one row per position that predicts, v + 1 for v visits. Row t holds the set
 * at position t and is asked for the set at position t + 1.
 */
export interface Batch {
  patients: number;
  rows: number;
  /** Most rows of one patient. */
  length: number;
  /** Tokens of all input sets, and the row each is in; rows ascend. */
  inputs: { tokens: Int32Array; rows: Int32Array };
  /** Tokens of all target sets, and the row each is in; rows ascend, and tokens within a row. */
  targets: { tokens: Int32Array; rows: Int32Array };
  /** `[rows]` */
  positions: Int32Array;
  /** `[patients + 1]`: first row of each patient. */
  offsets: Int32Array;
}

/** Tokens row by row, as they are gathered. */
class TokenRows {
  readonly #tokens: number[] = [];
  readonly #rows: number[] = [];

  add(set: ArrayLike<number>, row: number): void {
    for (let i = 0; i < set.length; i++) {
      this.#tokens.push(set[i] as number);
      this.#rows.push(row);
    }
  }
  build(): Batch['inputs'] {
    return { tokens: Int32Array.from(this.#tokens), rows: Int32Array.from(this.#rows) };
  }
}

/** The batch of records already given as sets per position. */
export const packSets = (records: readonly ArrayLike<number>[][]): Batch => {
  const inputs = new TokenRows();
  const targets = new TokenRows();
  const positions: number[] = [];
  const offsets = [0];
  for (const sets of records) {
    for (let position = 0; position + 1 < sets.length; position++) {
      inputs.add(sets[position] as ArrayLike<number>, positions.length);
      targets.add(sets[position + 1] as ArrayLike<number>, positions.length);
      positions.push(position);
    }
    offsets.push(positions.length);
  }
  return {
    patients: records.length,
    rows: positions.length,
    length: Math.max(...records.map((sets) => sets.length - 1)),
    inputs: inputs.build(),
    targets: targets.build(),
    positions: Int32Array.from(positions),
    offsets: Int32Array.from(offsets),
  };
};

/** The batch of some patients of a cohort, each cut at `maxVisits`. */
export const packPatients = (
  layout: Layout,
  columns: VisitColumns,
  patients: Int32Array,
  maxVisits: number,
): Batch => packSets(Array.from(patients, (patient) => recordSets(layout, columns, patient, maxVisits)));

/** Lays a batch's rows out for attention. Belongs to the open scope. */
export const gridOf = (ops: Ops, { patients, rows, length, offsets }: Batch): RowGrid => {
  const rowOfCell = new Int32Array(patients * length);
  const rowOrZeroOfCell = new Int32Array(patients * length).fill(rows);
  const cellOfRow = new Int32Array(rows);
  for (let patient = 0; patient < patients; patient++) {
    const first = offsets[patient] as number;
    for (let row = first; row < (offsets[patient + 1] as number); row++) {
      const cell = patient * length + row - first;
      rowOfCell[cell] = row;
      rowOrZeroOfCell[cell] = row;
      cellOfRow[row] = cell;
    }
  }
  return {
    batch: patients,
    length,
    rowOfCell: ops.uploadIndices(rowOfCell),
    rowOrZeroOfCell: ops.uploadIndices(rowOrZeroOfCell),
    cellOfRow: ops.uploadIndices(cellOfRow),
    mask: causalMask(ops, length),
  };
};
