/**
 * Sequences of sets of tokens, as models of whole records read and predict them: after each set but the last,
 * which tokens the next set has. N rows, W tokens.
 */
import { layRows } from '../layers/lstm-rows.ts';
import type { Ops, Tensor, Variable } from '../ops/ops.ts';
import type { VisitBatch } from './visit-batch.ts';

/** Tokens with the row that each is in; rows ascend. */
export interface TokensByRow {
  tokens: Int32Array;
  rows: Int32Array;
}

/** Tokens row by row, as they are gathered. */
export class TokenRows {
  readonly #tokens: number[] = [];
  readonly #rows: number[] = [];

  add(set: ArrayLike<number>, row: number): void {
    for (let i = 0; i < set.length; i++) {
      this.#tokens.push(set[i] as number);
      this.#rows.push(row);
    }
  }
  build(): TokensByRow {
    return { tokens: Int32Array.from(this.#tokens), rows: Int32Array.from(this.#rows) };
  }
}

/** Sets → the sum of their tokens' rows of the table: [sets, E]. */
export const embedSets = (ops: Ops, table: Variable, sets: readonly ArrayLike<number>[]): Tensor => {
  const found = new TokenRows();
  for (const [row, set] of sets.entries()) found.add(set, row);
  const { tokens, rows } = found.build();
  return ops.segmentSum(table, ops.uploadIndices(tokens), ops.uploadIndices(rows), sets.length);
};

/** Sequences as an LSTM reads them: a row for each set but a sequence's last. */
export interface SequenceBatch extends VisitBatch {
  /** Of each row, the tokens of the next set. */
  targets: TokensByRow;
  /** [N] the rows sequence by sequence, in the order in which the sequences were given. */
  inOrder: Int32Array;
}

/** Lays sequences out step by step, the longest first; each has two sets at least. */
export const packSequences = (sequences: readonly (readonly ArrayLike<number>[])[]): SequenceBatch => {
  const length = (i: number) => (sequences[i]?.length ?? 0) - 1;
  const exampleOf = Int32Array.from(sequences.keys()).sort((a, b) => length(b) - length(a) || a - b);
  const rows = layRows(exampleOf.map(length), 1);
  const [inputs, targets] = [new TokenRows(), new TokenRows()];
  const rowsOf = sequences.map((): number[] => []);
  for (const [t, size] of rows.sizes.entries())
    for (let slot = 0; slot < size; slot++) {
      const example = exampleOf[slot] as number;
      const row = (rows.offsets[t] as number) + slot;
      inputs.add(sequences[example]?.[t] ?? [], row);
      targets.add(sequences[example]?.[t + 1] ?? [], row);
      rowsOf[example]?.push(row);
    }
  const { tokens: codes, rows: segments } = inputs.build();
  return {
    rows,
    exampleOf,
    codes,
    segments,
    targets: targets.build(),
    inOrder: Int32Array.from(rowsOf.flat()),
  };
};

/** [N, W] ones at the tokens of each row. */
const multiHot = (ops: Ops, { tokens, rows }: TokensByRow, shape: readonly number[]): Tensor => {
  const [height, width] = shape as [number, number];
  const grid = new Float32Array(height * width);
  tokens.forEach((token, i) => {
    grid[(rows[i] as number) * width + token] = 1;
  });
  return ops.upload(grid, shape);
};

/**
 * Binary cross-entropy of log-odds [N, W], summed over all cells, and its gradient divided by their number.
 * Written on log-odds: nothing is clamped where a probability saturates.
 */
export const multiHotLoss = (
  ops: Ops,
  logits: Tensor,
  targets: TokensByRow,
): { sum: number; cells: number; slopes(): Tensor } => {
  const present = multiHot(ops, targets, logits.shape);
  const cells = logits.shape.reduce((product, size) => product * size, 1);
  return {
    sum: ops.total(ops.tidy(() => ops.subtract(ops.softplus(logits), ops.multiply(logits, present)))),
    cells,
    slopes: () => ops.tidy(() => ops.scale(ops.subtract(ops.sigmoid(logits), present), 1 / cells)),
  };
};
