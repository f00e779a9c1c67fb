import { type Layout, type RecordSets, recordSets } from '../../../generation/record-sets.ts';
import type { RowGrid } from '../../../nn/layers/attention.ts';
import { layGroups } from '../../../nn/layers/cells.ts';
import { TokenRows, type TokensByRow } from '../../../nn/networks/set-sequences.ts';
import type { Ops } from '../../../nn/ops/ops.ts';
import type { VisitColumns } from '../../../patients/visit-columns.ts';

/**
 * Some records with nothing padded: one row per position that predicts, v + 1 for v visits. Row t predicts
 * the set at position t + 1, given those up to t. All records begin with the start token alone, so their
 * first rows share one history, computed once: of N rows there are H = N - patients + 1 histories, those
 * first rows' being number 0.
 */
export interface Batch {
  patients: number;
  rows: number;
  histories: number;
  /** Most rows of one patient. */
  length: number;
  /** Tokens of each history's own set, and the history; histories ascend. */
  inputs: TokensByRow;
  /** Tokens of all target sets, and the row each is in; rows ascend, and tokens within a row. */
  targets: TokensByRow;
  /** `[histories]` */
  positions: Int32Array;
  /** `[rows]` */
  historyOf: Int32Array;
  /** `[patients + 1]`: first row of each patient. */
  offsets: Int32Array;
}

/**
 * The batch of records already given as sets per position: the start token alone, the labels, then visits.
 */
export const packSets = (records: readonly RecordSets[]): Batch => {
  const inputs = new TokenRows();
  const targets = new TokenRows();
  const start = records[0]?.[0] ?? [];
  inputs.add(start, 0);
  const positions = [0];
  const historyOf: number[] = [];
  const offsets = [0];
  for (const sets of records) {
    if (sets[0]?.length !== 1 || sets[0][0] !== start[0])
      throw new RangeError('a record begins with another set than the start token alone');
    for (let position = 0; position + 1 < sets.length; position++) {
      if (position > 0) {
        inputs.add(sets[position] as ArrayLike<number>, positions.length);
        positions.push(position);
      }
      targets.add(sets[position + 1] as ArrayLike<number>, historyOf.length);
      historyOf.push(position === 0 ? 0 : positions.length - 1);
    }
    offsets.push(historyOf.length);
  }
  return {
    patients: records.length,
    rows: historyOf.length,
    histories: positions.length,
    length: records.reduce((most, sets) => Math.max(most, sets.length - 1), 0),
    inputs: inputs.build(),
    targets: targets.build(),
    positions: Int32Array.from(positions),
    historyOf: Int32Array.from(historyOf),
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

/** Most rows of a line of attention scores that several records share. */
const lineRows = 96;

/**
 * Records that share a line of attention scores, [from, to), and its rows: the start's, then each record's
 * others.
 */
interface Line {
  from: number;
  to: number;
  rows: number;
}

/**
 * Short records share lines, so that attention takes few products of some size; `others` are the numbers of
 * rows of each record but the start's.
 */
export const shareLines = (others: readonly number[]): Line[] => {
  const lines: Line[] = [];
  for (const [record, count] of others.entries()) {
    const line = lines.at(-1);
    if (line && line.rows + count <= lineRows) {
      line.to = record + 1;
      line.rows += count;
    } else lines.push({ from: record, to: record + 1, rows: 1 + count });
  }
  return lines;
};

/**
 * Lays a batch's histories out for attention: a row sees the start and its own record up to itself. Of the
 * open scope.
 */
export const gridOf = (ops: Ops, { histories, offsets }: Batch): RowGrid => {
  const others = Array.from(offsets.subarray(1), (end, record) => end - (offsets[record] as number) - 1);
  const shared = shareLines(others);
  const length = shared.reduce((most, { rows }) => Math.max(most, rows), 0);
  const mask = new Float32Array(shared.length * length ** 2).fill(-1e10);
  let next = 1;
  const lines = shared.map(({ from, to, rows }, line) => {
    const cells = mask.subarray(line * length ** 2, (line + 1) * length ** 2);
    for (let cell = 0; cell < length; cell++) cells[cell * length] = 0;
    let first = 1;
    for (const count of others.slice(from, to)) {
      for (let cell = first; cell < first + count; cell++)
        cells.fill(0, cell * length + first, cell * length + cell + 1);
      first += count;
    }
    const start = next;
    next += rows - 1;
    return Int32Array.from({ length: rows }, (_, cell) => (cell === 0 ? 0 : start + cell - 1));
  });
  return {
    ...layGroups(ops, lines, histories, [Array.from(lines.keys())]),
    masks: [ops.upload(mask, [shared.length, 1, length, length])],
  };
};
