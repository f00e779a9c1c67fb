import type { Ops, Tensor } from '../../../nn/ops/ops.ts';
import type { Batch } from './batch.ts';

export type LossNormalization = 'cells' | 'padded';

/** Cells a batch's summed loss is divided by. */
export interface LossScale {
  normalization: LossNormalization;
  /** Loss of a present token counts this many times (the reference's pos_loss_weight). */
  positiveWeight: number;
  maxVisits: number;
}

/**
 * By default the cells of real rows, as in the paper. `padded` is what the reference does: all cells of a
 * grid of maxVisits + 1 predicting positions, so that its loss shrinks as the context grows
 * (docs/reference-code.md, defect 8).
 */
export const lossCells = (batch: Batch, width: number, scale: LossScale): number =>
  (scale.normalization === 'cells' ? batch.rows : batch.patients * (scale.maxVisits + 1)) * width;

/** Logits of some columns with their targets. M rows of histories or of records, w columns. */
interface Cells {
  logits: Tensor; // [M, w]
  targets: Tensor; // [M, w] ones at the targets
  /** Loss of a cell that is no target, in cells. */
  weights: Tensor; // [M, 1]
}

/** Ones at the target tokens from column `from` on that `rowOf` puts into a row. */
const targetGrid = (
  ops: Ops,
  { targets }: Batch,
  from: number,
  [rows, width]: readonly number[],
  rowOf: (row: number) => number,
): Tensor => {
  const [height, columns] = [rows as number, width as number];
  const grid = new Float32Array(height * columns);
  targets.tokens.forEach((token, i) => {
    const column = token - from;
    if (column >= 0 && column < columns) grid[rowOf(targets.rows[i] as number) * columns + column] = 1;
  });
  return ops.upload(grid, [height, columns]);
};

/**
 * The batch's cells: those of codes once per history, where the shared one weighs as much as all rows it
 * stands for.
 */
const cellsOf = (ops: Ops, batch: Batch, { codeLogits, otherLogits }: HeadLogits): [Cells, Cells] => {
  const weights = new Float32Array(batch.histories).fill(1);
  weights[0] = batch.patients;
  const codes = codeLogits.shape[1] as number;
  const ones = new Float32Array(batch.rows).fill(1);
  return [
    {
      logits: codeLogits,
      targets: targetGrid(ops, batch, 0, codeLogits.shape, (row) => batch.historyOf[row] as number),
      weights: ops.upload(weights, [batch.histories, 1]),
    },
    {
      logits: otherLogits,
      targets: targetGrid(ops, batch, codes, otherLogits.shape, (row) => row),
      weights: ops.upload(ones, [batch.rows, 1]),
    },
  ];
};

/** The head's logits, or their gradients. */
export interface HeadLogits {
  codeLogits: Tensor; // [H, C]
  otherLogits: Tensor; // [N, W-C]
}

/** Binary cross-entropy, summed. Written on logits: no clamp is needed where a probability saturates. */
export const summedLoss = (
  ops: Ops,
  batch: Batch,
  logits: HeadLogits,
  positiveWeight: number,
): { loss: number; dLogits(cells: number): HeadLogits } => {
  const both = cellsOf(ops, batch, logits);
  // y·p·softplus(-z) + (1-y)·softplus(z) = (1 + (p-1)y)·softplus(z) - p·y·z, each row as often as its weight;
  // a row that counts more than once has no y.
  const weigh = ({ weights, targets }: Cells, of: Tensor) =>
    positiveWeight === 1
      ? ops.multiply(weights, of)
      : ops.multiply(ops.add(weights, ops.scale(targets, positiveWeight - 1)), of);
  const loss = both.reduce((sum, cells) => {
    const hits = () => ops.multiply(ops.scale(cells.targets, positiveWeight), cells.logits);
    return sum + ops.total(ops.tidy(() => ops.subtract(weigh(cells, ops.softplus(cells.logits)), hits())));
  }, 0);
  const slope = (cells: Cells, count: number) =>
    ops.tidy(() => {
      const away = weigh(cells, ops.sigmoid(cells.logits));
      return ops.scale(ops.subtract(away, ops.scale(cells.targets, positiveWeight)), 1 / count);
    });
  return {
    loss,
    dLogits: (count) => ({ codeLogits: slope(both[0], count), otherLogits: slope(both[1], count) }),
  };
};
