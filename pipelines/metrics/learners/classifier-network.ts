import { adamRates } from '../../nn/layers/adam.ts';
import { deliver, type Gradients, type Update } from '../../nn/layers/layers.ts';
import { lastStates, lastStatesBackward } from '../../nn/layers/lstm-stack.ts';
import type { CodeBook, VisitBatch } from '../../nn/networks/visit-batch.ts';
import {
  type EncoderShape,
  type EncoderTrace,
  encodeVisits,
  encodeVisitsBackward,
  openEncoder,
  uniform,
  type VisitEncoder,
  type WeightDraws,
} from '../../nn/networks/visit-encoder.ts';
import type { Ops, Tensor, Variable } from '../../nn/ops/ops.ts';

/** G classifiers side by side: what HALO calls DiagnosisModel, each with weights of its own. */
export interface ClassifierNetwork {
  encoder: VisitEncoder;
  weight: Variable; // [G, directions·H, 1]
  bias: Variable; // [G, 1, 1]
}

/** Fresh weights; the head is drawn in ±1/√(its inputs), as PyTorch does. */
export const openClassifiers = (
  ops: Ops,
  shape: EncoderShape,
  books: readonly CodeBook[],
  draws: WeightDraws,
): ClassifierNetwork => {
  const width = shape.directions * shape.hidden;
  const head = (name: string, tensor: number, rows: number): Variable => {
    const value = new Float32Array(draws.ids.length * rows);
    for (const [group, id] of draws.ids.entries())
      uniform(value.subarray(group * rows, (group + 1) * rows), draws, id, tensor, 1 / Math.sqrt(width));
    return ops.variable(name, [draws.ids.length, rows, 1], { value });
  };
  return {
    encoder: openEncoder(ops, shape, books, draws),
    weight: head('head.weight', 60, width),
    bias: head('head.bias', 61, 1),
  };
};

export interface ClassifierTrace {
  encoded: EncoderTrace;
  states: Tensor; // [G, slots, directions·H]
  logits: Tensor; // [G, slots, 1]
}

/** Log odds of the label per sequence. */
export const classify = (
  ops: Ops,
  network: ClassifierNetwork,
  batch: VisitBatch,
  masks: readonly Tensor[] = [],
): ClassifierTrace => {
  const encoded = encodeVisits(ops, network.encoder, batch, masks);
  const states = lastStates(ops, network.encoder.stack, encoded);
  return { encoded, states, logits: ops.add(ops.batchMatMul(states, network.weight), network.bias) };
};

/**
 * [G·slots] 1 / (sequences of the group) where a sequence lies, 0 at padding: each group's loss is a mean.
 */
const meanWeights = ({ exampleOf, rows: { groups, slots } }: VisitBatch): Float32Array => {
  const weights = new Float32Array(exampleOf.length);
  for (let group = 0; group < groups; group++) {
    const own = exampleOf.subarray(group * slots, (group + 1) * slots);
    const count = own.reduce((sum, example) => sum + (example < 0 ? 0 : 1), 0);
    own.forEach((example, slot) => {
      if (example >= 0) weights[group * slots + slot] = 1 / count;
    });
  }
  return weights;
};

/**
 * Gradients of each group's mean binary cross-entropy with `targets` [G·slots], which is 0 or 1 and of no
 * matter at padding.
 */
export const classifyBackward = (
  pass: Gradients,
  network: ClassifierNetwork,
  { encoded, states, logits }: ClassifierTrace,
  targets: Float32Array,
): void => {
  const { ops } = pass;
  const { batch } = encoded;
  const off = ops.subtract(ops.sigmoid(logits), ops.upload(targets, logits.shape));
  const dLogits = ops.multiply(off, ops.upload(meanWeights(batch), logits.shape));
  const dStates = ops.batchMatMul(dLogits, network.weight, { transposeB: true });
  deliver(pass, network.weight, ops.batchMatMul(states, dLogits, { transposeA: true }));
  const { groups, slots } = batch.rows;
  const ones = ops.upload(new Float32Array(groups * slots).fill(1), [groups, 1, slots]);
  deliver(pass, network.bias, ops.batchMatMul(ones, dLogits));
  const dOut = lastStatesBackward(ops, network.encoder.stack, encoded, dStates);
  encodeVisitsBackward(pass, network.encoder, encoded, dOut);
};

/** Adam's update number `step` as an Update; the LSTM's one bias stands for two and moves twice as far. */
export const adamUpdate = (ops: Ops, encoder: VisitEncoder, step: number, learningRate: number): Update => {
  const biases = new Set(encoder.stack.layers.map(({ bias }) => bias));
  const rates = adamRates(step, learningRate);
  const doubled = { ...rates, rate: 2 * rates.rate };
  return (parameter, gradient) => ops.adam(parameter, gradient, biases.has(parameter) ? doubled : rates);
};
