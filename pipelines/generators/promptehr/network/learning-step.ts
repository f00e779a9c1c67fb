/**
 * One step of learning: forward, backward, and the updates; with a limit on the gradients' norm, held until
 * known.
 */
import { deliver, type Gradients, type Update } from '../../../nn/layers/layers.ts';
import type { Ops, Tensor, Variable } from '../../../nn/ops/ops.ts';
import type { SharedGradient } from './span-heads.ts';

/** The whole table's gradient from the rows that were used, in one sum. */
export const deliverShared = (pass: Gradients, table: Variable, used: readonly SharedGradient[]): void => {
  const { ops } = pass;
  const tokens = Int32Array.from(used.flatMap((some) => [...some.tokens]));
  const gradient = ops.concat(
    used.map((some) => some.gradient),
    0,
  );
  const rows = ops.uploadIndices(tokens);
  const own = ops.uploadIndices(Int32Array.from(tokens.keys()));
  deliver(pass, table, ops.segmentSumGradient(gradient, rows, own, table.shape[0] as number));
};

/** Holds gradients until all are known, so that they can be scaled together. */
export class HeldGradients {
  readonly #ops: Ops;
  readonly #held = new Map<Variable, Tensor>();
  #square = 0;

  constructor(ops: Ops) {
    this.#ops = ops;
  }

  /** Takes a gradient; a second name for its memory outlives the first. */
  readonly take: Update = (parameter, gradient) => {
    const ops = this.#ops;
    this.#square += ops.sumOfSquares(gradient);
    this.#held.set(parameter, ops.keep(ops.reshape(gradient, gradient.shape)));
  };

  /** Hands all on, scaled down where their norm is above `clip`, as PyTorch's clip_grad_norm_ does. */
  pass(clip: number, update: Update): void {
    const ops = this.#ops;
    const factor = Math.min(1, clip / (Math.sqrt(this.#square) + 1e-6));
    for (const [parameter, gradient] of this.#held) {
      const scaled = factor < 1 ? ops.scale(gradient, factor) : gradient;
      update(parameter, scaled);
      for (const done of [scaled, gradient]) ops.free(done);
      this.#held.delete(parameter);
    }
  }

  dispose(): void {
    for (const gradient of this.#held.values()) this.#ops.free(gradient);
    this.#held.clear();
  }
}
