import { type Gradients, type Linear, linear, linearBackward } from '../../../nn/layers/layers.ts';
import type { CodeBook, Example, VisitBatch } from '../../../nn/networks/visit-batch.ts';
import {
  type EncoderShape,
  encodeVisits,
  encodeVisitsBackward,
  openEncoder,
  uniform,
  type VisitEncoder,
  type WeightDraws,
} from '../../../nn/networks/visit-encoder.ts';
import type { Ops, Tensor } from '../../../nn/ops/ops.ts';

/** Forward LSTM over the visits so far, one hidden layer, and a score for every code of the next visit. */
export interface NextVisitNetwork {
  encoder: VisitEncoder;
  middle: Linear; // [hidden, middle]
  head: Linear; // [middle, outputs]
}

interface NextVisitShape extends EncoderShape {
  directions: 1;
  middle: number;
  outputs: number;
}

/** Fresh weights, drawn as PyTorch draws them. */
export const openNextVisit = (
  ops: Ops,
  shape: NextVisitShape,
  book: CodeBook,
  draws: WeightDraws,
): NextVisitNetwork => {
  const layer = (name: string, tensor: number, inputs: number, outputs: number): Linear => {
    const make = (kind: string, number: number, dimensions: number[]) => {
      const value = new Float32Array(dimensions.reduce((product, size) => product * size, 1));
      uniform(value, draws, draws.ids[0] as number, number, 1 / Math.sqrt(inputs));
      return ops.variable(`${name}.${kind}`, dimensions, { value });
    };
    return { weight: make('weight', tensor, [inputs, outputs]), bias: make('bias', tensor + 1, [outputs]) };
  };
  return {
    encoder: openEncoder(ops, shape, [book], draws),
    middle: layer('middle', 56, shape.hidden, shape.middle),
    head: layer('head', 58, shape.middle, shape.outputs),
  };
};

/** The visits of a batch that something precedes and that have codes. P of them. */
interface NextVisits {
  /** [P] row of the visit before. */
  rows: Int32Array;
  /** [P] example of the batch. */
  examples: Int32Array;
  /** Codes of each, as tokens. */
  actual: Int32Array[];
}

/** Tokens of a visit that are to be predicted. */
export type Wanted = (token: number) => boolean;

/** What a batch of one group has to predict. */
export const nextVisits = (batch: VisitBatch, examples: readonly Example[], wanted: Wanted): NextVisits => {
  const { sizes, offsets } = batch.rows;
  const [rows, whose, actual]: [number[], number[], Int32Array[]] = [[], [], []];
  for (const [slot, index] of batch.exampleOf.entries()) {
    const example = examples[index];
    if (!example) continue;
    const { cohort, patient } = example;
    const end = cohort.visitOffsets[patient + 1] as number;
    const first = Math.max(cohort.visitOffsets[patient] as number, end - sizes.length);
    for (let visit = first + 1; visit < end; visit++) {
      const codes = cohort.codes
        .subarray(cohort.codeOffsets[visit], cohort.codeOffsets[visit + 1])
        .filter(wanted);
      if (codes.length === 0) continue;
      rows.push((offsets[visit - first - 1] as number) + slot);
      whose.push(index);
      actual.push(codes);
    }
  }
  return { rows: Int32Array.from(rows), examples: Int32Array.from(whose), actual };
};

/** [P, outputs] zeros and ones; codes without an output are left out. */
export const targetsOf = ({ actual }: NextVisits, outputOf: Int32Array, outputs: number): Float32Array => {
  const targets = new Float32Array(actual.length * outputs);
  for (const [row, codes] of actual.entries())
    for (const token of codes) {
      const output = outputOf[token] as number;
      if (output >= 0) targets[row * outputs + output] = 1;
    }
  return targets;
};

/** Log odds [P, outputs] of every code, and what the backward needs. */
export const predictNext = (
  ops: Ops,
  network: NextVisitNetwork,
  batch: VisitBatch,
  visits: NextVisits,
  masks: readonly Tensor[] = [],
) => {
  const encoded = encodeVisits(ops, network.encoder, batch, masks);
  const [, rows, width] = encoded.out.shape as [number, number, number];
  const chosen = ops.uploadIndices(visits.rows);
  const states = ops.gather(ops.reshape(encoded.out, [rows, width]), chosen); // [P, H]
  const hidden = ops.relu(linear(ops, network.middle, states)); // [P, middle]
  return { encoded, chosen, states, hidden, logits: linear(ops, network.head, hidden) };
};

/** Binary cross-entropy summed over codes and visits. */
export const nextVisitLoss = (ops: Ops, logits: Tensor, targets: Float32Array): number =>
  ops.total(ops.subtract(ops.softplus(logits), ops.multiply(logits, ops.upload(targets, logits.shape))));

/** Gradients of that loss divided by the number of visits. */
export const predictNextBackward = (
  pass: Gradients,
  network: NextVisitNetwork,
  { encoded, chosen, states, hidden, logits }: ReturnType<typeof predictNext>,
  targets: Float32Array,
): void => {
  const { ops } = pass;
  const [count] = logits.shape as [number, number];
  const off = ops.subtract(ops.sigmoid(logits), ops.upload(targets, logits.shape));
  const dHidden = linearBackward(pass, network.head, hidden, ops.scale(off, 1 / count));
  const dStates = linearBackward(pass, network.middle, states, ops.reluGradient(dHidden, hidden));
  const [, rows] = encoded.out.shape as [number, number, number];
  const all = ops.uploadIndices(Int32Array.from({ length: count }, (_, i) => i));
  const dOut = ops.segmentSumGradient(dStates, chosen, all, rows);
  encodeVisitsBackward(pass, network.encoder, encoded, ops.reshape(dOut, encoded.out.shape));
};
