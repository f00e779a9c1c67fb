/**
 * Long short-term memory (Hochreiter and Schmidhuber, Neural Computation 1997; forget gate: Gers et al. 2000)
 * over packed sequences, N independent networks at once, in the form PyTorch's nn.LSTM computes. H hidden
 * units, R rows. The rows of a network are its sequences step by step: first all their first elements, then
 * the second elements of those that have one, and so on. Sequences lie by falling length, so that step t is
 * the first `sizes[t]` of step t-1.
 */

import type { Operand, Ops, Tensor, Variable } from '../ops/ops.ts';
import { deliver, type Gradients } from './layers.ts';

/** Gates lie input, forget, output, candidate: the three sigmoids are neighbors. */
export interface Lstm {
  input: Variable; // [N, in, 4H]
  recurrent: Variable; // [N, H, 4H]
  /**
   * The sum of PyTorch's two biases. Both get this gradient there, so under Adam the sum moves twice as far.
   */
  bias: Variable; // [N, 1, 4H]
}

/** What a step passes on to the next. */
export interface LstmState {
  cell: Tensor; // [N, n, H]
  hidden: Tensor; // [N, n, H]
}

interface StepTrace extends LstmState {
  gates: Tensor; // [N, n, 3H] input, forget, output
  candidate: Tensor; // [N, n, H]
  squashed: Tensor; // [N, n, H] tanh of the cell
}

export interface LstmTrace {
  x: Tensor; // [N, R, in]
  sizes: readonly number[];
  steps: StepTrace[];
  out: Tensor; // [N, R, H]
}

/** `count` entries from `from` on of axis 1 or 2 of [N, a, b]. */
const part = (ops: Ops, x: Operand, axis: 1 | 2, from: number, count: number): Tensor => {
  const size = [...x.shape];
  if (from === 0 && size[axis] === count) return ops.reshape(x, size);
  size[axis] = count;
  return ops.slice(x, axis === 1 ? [0, from, 0] : [0, 0, from], size);
};

const step = (ops: Ops, layer: Lstm, projected: Tensor, before?: LstmState): StepTrace => {
  const width = layer.recurrent.shape[1] as number;
  const count = projected.shape[1] as number;
  const recalled = before && ops.batchMatMul(part(ops, before.hidden, 1, 0, count), layer.recurrent);
  const sums = recalled ? ops.add(projected, recalled) : projected;
  const gates = ops.sigmoid(part(ops, sums, 2, 0, 3 * width));
  const candidate = ops.tanh(part(ops, sums, 2, 3 * width, width));
  const written = ops.multiply(part(ops, gates, 2, 0, width), candidate);
  const cell = before
    ? ops.add(written, ops.multiply(part(ops, gates, 2, width, width), part(ops, before.cell, 1, 0, count)))
    : written;
  const squashed = ops.tanh(cell);
  const hidden = ops.multiply(part(ops, gates, 2, 2 * width, width), squashed);
  return { gates, candidate, cell, squashed, hidden };
};

const project = (ops: Ops, layer: Lstm, x: Tensor): Tensor =>
  ops.add(ops.batchMatMul(x, layer.input), layer.bias);

/** One step of n sequences that go on: x [N, n, in]. */
export const lstmNext = (ops: Ops, layer: Lstm, x: Tensor, before?: LstmState): LstmState =>
  step(ops, layer, project(ops, layer, x), before);

/** [N, R, in] → [N, R, H]; `sizes` is the number of rows of each step, and never rises. */
export const lstm = (ops: Ops, layer: Lstm, x: Tensor, sizes: readonly number[]): LstmTrace => {
  const projected = project(ops, layer, x); // [N, R, 4H]
  const steps: StepTrace[] = [];
  let from = 0;
  for (const count of sizes) {
    steps.push(step(ops, layer, part(ops, projected, 1, from, count), steps.at(-1)));
    from += count;
  }
  const out = ops.concat(
    steps.map(({ hidden }) => hidden),
    1,
  );
  return { x, sizes, steps, out };
};

/** Adds `later` [N, m, H], the gradient from the next step, to the first m ≤ n of `now` [N, n, H]. */
const addFirst = (ops: Ops, now: Tensor, later: Tensor | undefined): Tensor => {
  if (!later) return now;
  const [, count] = now.shape as [number, number, number];
  const reached = later.shape[1] as number;
  if (reached === count) return ops.add(now, later);
  const first = ops.add(part(ops, now, 1, 0, reached), later);
  return ops.concat([first, part(ops, now, 1, reached, count - reached)], 1);
};

/** As addFirst where nothing comes from the step itself. */
const padRows = (ops: Ops, later: Tensor, count: number): Tensor => {
  const [networks, reached, width] = later.shape as [number, number, number];
  if (reached === count) return later;
  const shape = [networks, count - reached, width];
  const zeros = ops.upload(new Float32Array(networks * (count - reached) * width), shape);
  return ops.concat([later, zeros], 1);
};

/**
 * Gradient of one step's sums [N, n, 4H], and of the cell before it; `dCell` comes from the step after it.
 */
const stepBackward = (
  ops: Ops,
  { gates, candidate, squashed }: StepTrace,
  before: Tensor | undefined,
  dHidden: Tensor,
  dCell: Tensor | undefined,
): { dSums: Tensor; dBefore: Tensor | undefined } => {
  const [, count, width] = dHidden.shape as [number, number, number];
  const [write, keep, show] = [0, 1, 2].map((gate) => part(ops, gates, 2, gate * width, width)) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const steep = (y: Tensor): Tensor => ops.shift(ops.scale(ops.square(y), -1), 1); // 1 − y²
  const own = ops.multiply(ops.multiply(dHidden, show), steep(squashed));
  const d = dCell ? ops.add(own, padRows(ops, dCell, count)) : own;
  const dKeep = before ? ops.multiply(d, before) : ops.scale(d, 0);
  const dGates = ops.concat([ops.multiply(d, candidate), dKeep, ops.multiply(dHidden, squashed)], 2);
  const slopes = ops.subtract(gates, ops.square(gates));
  const dCandidate = ops.multiply(ops.multiply(d, write), steep(candidate));
  return {
    dSums: ops.concat([ops.multiply(dGates, slopes), dCandidate], 2),
    dBefore: before && ops.multiply(d, keep),
  };
};

/** dy [N, R, H] → dx [N, R, in] */
export const lstmBackward = (
  pass: Gradients,
  layer: Lstm,
  { x, sizes, steps }: LstmTrace,
  dy: Tensor,
): Tensor => {
  const { ops } = pass;
  const parts: Tensor[] = [];
  let [dHidden, dCell]: (Tensor | undefined)[] = [];
  let from = dy.shape[1] as number;
  for (let t = steps.length - 1; t >= 0; t--) {
    const count = sizes[t] as number;
    from -= count;
    const before = steps[t - 1] && part(ops, (steps[t - 1] as StepTrace).cell, 1, 0, count);
    const reaching = addFirst(ops, part(ops, dy, 1, from, count), dHidden);
    const { dSums, dBefore } = stepBackward(ops, steps[t] as StepTrace, before, reaching, dCell);
    parts.unshift(dSums);
    dCell = dBefore;
    dHidden = t > 0 ? ops.batchMatMul(dSums, layer.recurrent, { transposeB: true }) : undefined;
  }
  const dSums = ops.concat(parts, 1); // [N, R, 4H]
  const dx = ops.batchMatMul(dSums, layer.input, { transposeB: true });
  deliverWeights(pass, layer, { x, sizes, steps }, dSums);
  return dx;
};

const deliverWeights = (
  pass: Gradients,
  layer: Lstm,
  { x, sizes, steps }: Omit<LstmTrace, 'out'>,
  dSums: Tensor,
): void => {
  const { ops } = pass;
  const [networks, rows] = dSums.shape as [number, number];
  deliver(pass, layer.input, ops.batchMatMul(x, dSums, { transposeA: true }));
  const ones = ops.upload(new Float32Array(networks * rows).fill(1), [networks, 1, rows]);
  deliver(pass, layer.bias, ops.batchMatMul(ones, dSums));
  const earlier = steps
    .slice(1)
    .map((_, t) => part(ops, (steps[t] as StepTrace).hidden, 1, 0, sizes[t + 1] as number));
  const first = sizes[0] as number;
  const gradient =
    earlier.length > 0
      ? ops.batchMatMul(ops.concat(earlier, 1), part(ops, dSums, 1, first, rows - first), {
          transposeA: true,
        })
      : ops.upload(new Float32Array(layer.recurrent.shape.reduce((a, b) => a * b, 1)), layer.recurrent.shape);
  deliver(pass, layer.recurrent, gradient);
};
