import type { Ops, Tensor } from '../../nn/ops.ts';
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
 * By default the cells of real rows, as the paper says. `padded` is what the reference does: all cells of a grid of
 * maxVisits + 1 predicting positions, so that its loss shrinks as the context grows (METRICS.md, defect 8).
 */
export const lossCells = (batch: Batch, width: number, scale: LossScale): number =>
  (scale.normalization === 'cells' ? batch.rows : batch.patients * (scale.maxVisits + 1)) * width;

/** [N, W] ones at the targets. */
const targetGrid = (ops: Ops, { rows, targets }: Batch, width: number): Tensor => {
  const grid = new Float32Array(rows * width);
  targets.tokens.forEach((token, i) => {
    grid[(targets.rows[i] as number) * width + token] = 1;
  });
  return ops.upload(grid, [rows, width]);
};

/** Binary cross-entropy, summed. Written on logits: no clamp is needed where a probability saturates. */
export const summedLoss = (
  ops: Ops,
  batch: Batch,
  logits: Tensor,
  positiveWeight: number,
): { loss: number; dLogits(cells: number): Tensor } => {
  const targets = targetGrid(ops, batch, logits.shape[1] as number); // [N, W]
  const weights = ops.shift(ops.scale(targets, positiveWeight - 1), 1); // [N, W]
  // y·w·softplus(-z) + (1-y)·softplus(z) = (1 + (w-1)y)·softplus(z) - w·y·z
  const loss = ops.total(
    ops.tidy(() =>
      ops.subtract(
        ops.multiply(weights, ops.softplus(logits)),
        ops.multiply(ops.scale(targets, positiveWeight), logits),
      ),
    ),
  );
  const slope = () =>
    ops.subtract(ops.multiply(weights, ops.sigmoid(logits)), ops.scale(targets, positiveWeight));
  return { loss, dLogits: (cells) => ops.tidy(() => ops.scale(slope(), 1 / cells)) };
};
