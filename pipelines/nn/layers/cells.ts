/**
 * Packed rows laid out as a grid of lines for attention scores, and back: only there are sequences padded to
 * the longest. B lines, T cells each, R rows.
 */
import type { Ops, Tensor } from '../ops/ops.ts';

/** Which row stands at which cell, and back. C cells in all. */
export interface CellRows {
  /** One line that holds the rows in order: cells and rows are the same, and nothing is moved. */
  inOrder: boolean;
  /** [C] row at each cell; row 0 at padding, where it does not matter. */
  rowOfCell: Tensor;
  /**
   * [C] as above, with the number of rows, index of an appended row of zeros, at padding and at all but the
   * first cell of a row that stands in several lines.
   */
  rowOrZeroOfCell: Tensor;
  /** [R] first cell of each row. */
  cellOfRow: Tensor;
  /** Where rows stand in several lines: all cells but padding, [cells] by [cells] row, rows ascending. */
  shared?: { cells: Tensor; rows: Tensor };
}

/** Lines of about equal length, padded to the longest of them: a grid of B lines of T cells. */
export interface CellGroup {
  lines: readonly number[];
  length: number;
  /** Cell at which the grid begins; the grids of all groups stand one after the other. */
  first: number;
}
export interface GroupedCells extends CellRows {
  groups: readonly CellGroup[];
}

/** `cellOf` gives the cell at which a line begins. */
const placeRows = (
  ops: Ops,
  lines: readonly ArrayLike<number>[],
  rows: number,
  count: number,
  cellOf: (line: number) => number,
): CellRows => {
  const rowOfCell = new Int32Array(count);
  const rowOrZeroOfCell = new Int32Array(count).fill(rows);
  const cellOfRow = new Int32Array(rows).fill(-1);
  const filled: { cell: number; row: number }[] = [];
  for (const [b, line] of lines.entries())
    for (let i = 0; i < line.length; i++) {
      const row = line[i] as number;
      const cell = cellOf(b) + i;
      filled.push({ cell, row });
      rowOfCell[cell] = row;
      if (cellOfRow[row] !== -1) continue;
      rowOrZeroOfCell[cell] = row;
      cellOfRow[row] = cell;
    }
  const cells: CellRows = {
    inOrder: count === rows && cellOfRow.every((cell, row) => cell === row),
    rowOfCell: ops.uploadIndices(rowOfCell),
    rowOrZeroOfCell: ops.uploadIndices(rowOrZeroOfCell),
    cellOfRow: ops.uploadIndices(cellOfRow),
  };
  if (filled.length === rows) return cells;
  filled.sort((a, b) => a.row - b.row);
  const column = (key: 'cell' | 'row') => ops.uploadIndices(Int32Array.from(filled, (entry) => entry[key]));
  return { ...cells, shared: { cells: column('cell'), rows: column('row') } };
};

const longest = (lines: readonly ArrayLike<number>[]): number =>
  lines.reduce((most, line) => Math.max(most, line.length), 1);

/**
 * `lines` are the rows of each line in order; each of 0 … rows-1 is in one of them. A row may stand in
 * several, in the same place and after the same rows: such a common beginning is computed once. Each line is
 * in one of the `groups`, a grid of lines each, as long as the longest of them, `padded`.
 */
export const layGroups = (
  ops: Ops,
  lines: readonly ArrayLike<number>[],
  rows: number,
  groups: readonly (readonly number[])[],
  padded: (length: number) => number = (length) => length,
): GroupedCells => {
  const begin = new Int32Array(lines.length);
  let count = 0;
  const grids = groups.map((own): CellGroup => {
    const length = padded(longest(own.map((line) => lines[line] as ArrayLike<number>)));
    const first = count;
    own.forEach((line, i) => {
      begin[line] = first + i * length;
    });
    count += own.length * length;
    return { lines: own, length, first };
  });
  return { groups: grids, ...placeRows(ops, lines, rows, count, (line) => begin[line] as number) };
};

/** [C, n] → the cells of each group */
export const splitGroups = (ops: Ops, { groups }: GroupedCells, cells: Tensor): Tensor[] => {
  const width = cells.shape[1] as number;
  if (groups.length === 1) return [cells];
  return groups.map(({ lines, length, first }) =>
    ops.slice(cells, [first, 0], [lines.length * length, width]),
  );
};

/** The inverse. */
export const joinGroups = (ops: Ops, parts: readonly Tensor[]): Tensor =>
  parts.length === 1 ? (parts[0] as Tensor) : ops.concat(parts, 0);

/** [R, n] → [C, n], anything at padding */
export const toCells = (ops: Ops, { inOrder, rowOfCell }: CellRows, rows: Tensor): Tensor =>
  inOrder ? rows : ops.gather(rows, rowOfCell);

/** [C, n] → [R, n] */
export const toRows = (ops: Ops, { inOrder, cellOfRow }: CellRows, grid: Tensor): Tensor =>
  inOrder ? grid : ops.gather(grid, cellOfRow);

/** The gradient of toRows: [R, n] → [C, n], zero at padding */
export const toRowsBackward = (ops: Ops, { inOrder, rowOrZeroOfCell }: CellRows, dy: Tensor): Tensor => {
  if (inOrder) return dy;
  const width = dy.shape[1] as number;
  const zero = ops.upload(new Float32Array(width), [1, width]);
  return ops.gather(ops.concat([dy, zero], 0), rowOrZeroOfCell);
};

/** The gradient of toCells: [C, n] → [R, n], summed over the lines that a row stands in. */
export const toCellsBackward = (ops: Ops, cells: CellRows, grid: Tensor): Tensor => {
  const { cellOfRow, shared } = cells;
  if (!shared) return toRows(ops, cells, grid);
  return ops.segmentSum(grid, shared.cells, shared.rows, cellOfRow.shape[0] as number);
};
