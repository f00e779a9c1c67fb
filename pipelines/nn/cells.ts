/**
 * Packed rows laid out as a grid of lines for attention scores, and back: only there are sequences padded to the
 * longest. B lines, T cells each, R rows.
 */
import type { Ops, Tensor } from './ops.ts';

export interface Cells {
  batch: number;
  length: number;
  /** One line that holds the rows in order: cells and rows are the same, and nothing is moved. */
  inOrder: boolean;
  /** [B·T] row at each cell; row 0 at padding, where it does not matter. */
  rowOfCell: Tensor;
  /**
   * [B·T] as above, with the number of rows, index of an appended row of zeros, at padding and at all but the first
   * cell of a row that stands in several lines.
   */
  rowOrZeroOfCell: Tensor;
  /** [R] first cell of each row. */
  cellOfRow: Tensor;
  /** Where rows stand in several lines: all cells but padding, [cells] by [cells] row, rows ascending. */
  shared?: { cells: Tensor; rows: Tensor };
}

/**
 * `lines` are the rows of each line in order; each of 0 … rows-1 is in one of them. A row may stand in several, in the
 * same place and after the same rows: such a common beginning is computed once.
 */
export const layCells = (ops: Ops, lines: readonly ArrayLike<number>[], rows: number): Cells => {
  const batch = lines.length;
  const length = lines.reduce((most, line) => Math.max(most, line.length), 1);
  const rowOfCell = new Int32Array(batch * length);
  const rowOrZeroOfCell = new Int32Array(batch * length).fill(rows);
  const cellOfRow = new Int32Array(rows).fill(-1);
  const filled: { cell: number; row: number }[] = [];
  for (const [b, line] of lines.entries())
    for (let i = 0; i < line.length; i++) {
      const row = line[i] as number;
      const cell = b * length + i;
      filled.push({ cell, row });
      rowOfCell[cell] = row;
      if (cellOfRow[row] !== -1) continue;
      rowOrZeroOfCell[cell] = row;
      cellOfRow[row] = cell;
    }
  const cells: Cells = {
    batch,
    length,
    inOrder: batch === 1 && length === rows && cellOfRow.every((cell, row) => cell === row),
    rowOfCell: ops.uploadIndices(rowOfCell),
    rowOrZeroOfCell: ops.uploadIndices(rowOrZeroOfCell),
    cellOfRow: ops.uploadIndices(cellOfRow),
  };
  if (filled.length === rows) return cells;
  filled.sort((a, b) => a.row - b.row);
  const column = (key: 'cell' | 'row') => ops.uploadIndices(Int32Array.from(filled, (entry) => entry[key]));
  return { ...cells, shared: { cells: column('cell'), rows: column('row') } };
};

/** [R, n] → [B·T, n], anything at padding */
export const toCells = (ops: Ops, { inOrder, rowOfCell }: Cells, rows: Tensor): Tensor =>
  inOrder ? rows : ops.gather(rows, rowOfCell);

/** [B·T, n] → [R, n] */
export const toRows = (ops: Ops, { inOrder, cellOfRow }: Cells, grid: Tensor): Tensor =>
  inOrder ? grid : ops.gather(grid, cellOfRow);

/** The gradient of toRows: [R, n] → [B·T, n], zero at padding */
export const toRowsBackward = (ops: Ops, { inOrder, rowOrZeroOfCell }: Cells, dy: Tensor): Tensor => {
  if (inOrder) return dy;
  const width = dy.shape[1] as number;
  const zero = ops.upload(new Float32Array(width), [1, width]);
  return ops.gather(ops.concat([dy, zero], 0), rowOrZeroOfCell);
};

/** The gradient of toCells: [B·T, n] → [R, n], summed over the lines that a row stands in. */
export const toCellsBackward = (ops: Ops, cells: Cells, grid: Tensor): Tensor => {
  const { cellOfRow, shared } = cells;
  if (!shared) return toRows(ops, cells, grid);
  return ops.segmentSum(grid, shared.cells, shared.rows, cellOfRow.shape[0] as number);
};

/** [B, 1, 1, T] zero at the cells of each line, -1e10 at its padding. */
export const paddingMask = (ops: Ops, lines: readonly ArrayLike<number>[], length: number): Tensor => {
  const mask = new Float32Array(lines.length * length);
  for (const [b, line] of lines.entries()) mask.fill(-1e10, b * length + line.length, (b + 1) * length);
  return ops.upload(mask, [lines.length, 1, 1, length]);
};

/** [R, H·D] → [B, H, T, D] */
export const splitHeads = (ops: Ops, cells: Cells, heads: number, rows: Tensor): Tensor => {
  const size = (rows.shape[1] as number) / heads;
  const grid = toCells(ops, cells, rows);
  return ops.transpose(ops.reshape(grid, [cells.batch, cells.length, heads, size]), [0, 2, 1, 3]);
};

/** [B, H, T, D] → [R, H·D] */
export const mergeHeads = (ops: Ops, cells: Cells, grid: Tensor): Tensor => {
  const [batch, heads, length, size] = grid.shape as [number, number, number, number];
  const lines = ops.reshape(ops.transpose(grid, [0, 2, 1, 3]), [batch * length, heads * size]);
  return toRows(ops, cells, lines);
};

/** The gradient of mergeHeads: [R, H·D] → [B, H, T, D], zero at padding. */
export const mergeHeadsBackward = (ops: Ops, cells: Cells, heads: number, dy: Tensor): Tensor => {
  const width = dy.shape[1] as number;
  const grid = toRowsBackward(ops, cells, dy);
  return ops.transpose(ops.reshape(grid, [cells.batch, cells.length, heads, width / heads]), [0, 2, 1, 3]);
};
