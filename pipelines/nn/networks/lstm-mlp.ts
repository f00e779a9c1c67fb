import { deliver, type Gradients } from '../layers/layers.ts';
import { lastStates, lastStatesBackward } from '../layers/lstm-stack.ts';
import type { Ops, Tensor, Variable } from '../ops/ops.ts';
import type { CodeBook, VisitBatch } from './visit-batch.ts';
import {
  type EncoderShape,
  type EncoderTrace,
  encodeVisits,
  encodeVisitsBackward,
  openEncoder,
  uniform,
  type VisitEncoder,
  type WeightDraws,
} from './visit-encoder.ts';

export interface RecordShape extends EncoderShape {
  /** Width of the layer between LSTM and codes. */
  middle: number;
  /** Codes it has a score for. */
  outputs: number;
}

/** A linear layer for each of G networks. */
interface Layer {
  weight: Variable; // [G, in, out]
  bias: Variable; // [G, 1, out]
}

/**
 * G networks side by side: what PromptEHR (section 4.2) calls LSTM+MLP. The LSTM reads the visits it is
 * shown, in both directions where there are two, and the last state of each gives a score for every code.
 */
export interface RecordNetwork {
  encoder: VisitEncoder;
  middle: Layer;
  head: Layer;
}

/** Fresh weights, drawn as PyTorch draws them. */
export const openRecordNetwork = (
  ops: Ops,
  shape: RecordShape,
  books: readonly CodeBook[],
  draws: WeightDraws,
): RecordNetwork => {
  const { ids } = draws;
  const layer = (name: string, tensor: number, inputs: number, outputs: number): Layer => {
    const make = (kind: string, number: number, rows: number): Variable => {
      const value = new Float32Array(ids.length * rows * outputs);
      for (const [group, id] of ids.entries()) {
        const own = value.subarray(group * rows * outputs, (group + 1) * rows * outputs);
        uniform(own, draws, id, number, 1 / Math.sqrt(inputs));
      }
      return ops.variable(`${name}.${kind}`, [ids.length, rows, outputs], { value });
    };
    return { weight: make('weight', tensor, inputs), bias: make('bias', tensor + 1, 1) };
  };
  return {
    encoder: openEncoder(ops, shape, books, draws),
    middle: layer('middle', 56, shape.directions * shape.hidden, shape.middle),
    head: layer('head', 58, shape.middle, shape.outputs),
  };
};

const forward = (ops: Ops, { weight, bias }: Layer, x: Tensor): Tensor =>
  ops.add(ops.batchMatMul(x, weight), bias);

const backward = (pass: Gradients, { weight, bias }: Layer, x: Tensor, dy: Tensor): Tensor => {
  const { ops } = pass;
  const dx = ops.batchMatMul(dy, weight, { transposeB: true });
  const [groups, slots] = dy.shape as [number, number, number];
  const ones = ops.upload(new Float32Array(groups * slots).fill(1), [groups, 1, slots]);
  deliver(pass, weight, ops.batchMatMul(x, dy, { transposeA: true }));
  deliver(pass, bias, ops.batchMatMul(ones, dy));
  return dx;
};

export interface RecordTrace {
  encoded: EncoderTrace;
  states: Tensor; // [G, slots, directions·H]
  hidden: Tensor; // [G, slots, middle]
  logits: Tensor; // [G, slots, outputs]
}

/** Log odds of every code for each record. */
export const readRecords = (ops: Ops, network: RecordNetwork, batch: VisitBatch): RecordTrace => {
  const encoded = encodeVisits(ops, network.encoder, batch);
  const states = lastStates(ops, network.encoder.stack, encoded);
  const hidden = ops.relu(forward(ops, network.middle, states));
  return { encoded, states, hidden, logits: forward(ops, network.head, hidden) };
};

/**
 * Gradients of each group's binary cross-entropy with `targets`, every term counted by its weight; `weights`
 * has one number for each target or one for each record.
 */
export const readRecordsBackward = (
  pass: Gradients,
  network: RecordNetwork,
  { encoded, states, hidden, logits }: RecordTrace,
  { targets, weights }: { targets: Float32Array; weights: Float32Array },
): void => {
  const { ops } = pass;
  const [groups, slots] = logits.shape as [number, number, number];
  const off = ops.subtract(ops.sigmoid(logits), ops.upload(targets, logits.shape));
  const weighed = ops.upload(weights, [groups, slots, weights.length / (groups * slots)]);
  const dHidden = backward(pass, network.head, hidden, ops.multiply(off, weighed));
  const dStates = backward(pass, network.middle, states, ops.reluGradient(dHidden, hidden));
  const dOut = lastStatesBackward(ops, network.encoder.stack, encoded, dStates);
  encodeVisitsBackward(pass, network.encoder, encoded, dOut);
};
