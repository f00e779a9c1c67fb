/**
 * Layers of LSTM on one another, forward only or in both directions, for G groups with weights of their own.
 * The backward direction reads each sequence reversed, so both directions are one call on 2·G networks, and
 * the last step of either has seen the whole sequence.
 */

import type { Ops, Tensor } from '../ops/ops.ts';
import type { Gradients } from './layers.ts';
import { type Lstm, type LstmTrace, lstm, lstmBackward } from './lstm.ts';
import type { LstmRows } from './lstm-rows.ts';

export interface LstmStack {
  directions: 1 | 2;
  layers: Lstm[]; // N = directions · groups; all groups forward, then all groups backward
}

export interface StackTrace {
  rows: LstmRows;
  flip: Tensor; // [G·R]
  layers: LstmTrace[];
  /** Dropout of the input of each layer but the first, where training. */
  masks: readonly Tensor[];
  out: Tensor; // [N, R, H]
}

const reversed = (ops: Ops, flip: Tensor, x: Tensor): Tensor => {
  const [groups, rows, width] = x.shape as [number, number, number];
  return ops.reshape(ops.gather(ops.reshape(x, [groups * rows, width]), flip), x.shape);
};

/** [N, ...] → its half of the forward (0) or backward (1) direction. */
const half = (ops: Ops, x: Tensor, direction: 0 | 1): Tensor => {
  const [networks, rows, width] = x.shape as [number, number, number];
  return ops.slice(x, [direction * (networks / 2), 0, 0], [networks / 2, rows, width]);
};

/** Input of a layer: [G, R, F] → [N, R, F]. */
const spread = (ops: Ops, stack: LstmStack, flip: Tensor, x: Tensor): Tensor =>
  stack.directions === 1 ? x : ops.concat([x, reversed(ops, flip, x)], 0);

/** The gradient of spread. */
const gather = (ops: Ops, stack: LstmStack, flip: Tensor, dx: Tensor): Tensor =>
  stack.directions === 1 ? dx : ops.add(half(ops, dx, 0), reversed(ops, flip, half(ops, dx, 1)));

/** Output of a layer, both directions of an element side by side: [N, R, H] → [G, R, directions·H]. */
const merge = (ops: Ops, stack: LstmStack, flip: Tensor, out: Tensor): Tensor =>
  stack.directions === 1 ? out : ops.concat([half(ops, out, 0), reversed(ops, flip, half(ops, out, 1))], 2);

/** The gradient of merge. */
const part = (ops: Ops, stack: LstmStack, flip: Tensor, d: Tensor): Tensor => {
  if (stack.directions === 1) return d;
  const [groups, rows, width] = d.shape as [number, number, number];
  const size = [groups, rows, width / 2];
  const backward = ops.slice(d, [0, 0, width / 2], size);
  return ops.concat([ops.slice(d, [0, 0, 0], size), reversed(ops, flip, backward)], 0);
};

/** x [G, R, in]; `masks` [G, R, directions·H] each, one between every two layers, or none. */
export const lstmStack = (
  ops: Ops,
  stack: LstmStack,
  rows: LstmRows,
  x: Tensor,
  masks: readonly Tensor[] = [],
): StackTrace => {
  const flip = ops.uploadIndices(rows.flip);
  const layers: LstmTrace[] = [];
  let input = x;
  for (const [depth, layer] of stack.layers.entries()) {
    const trace = lstm(ops, layer, spread(ops, stack, flip, input), rows.sizes);
    layers.push(trace);
    if (depth === stack.layers.length - 1) break;
    input = merge(ops, stack, flip, trace.out);
    const mask = masks[depth];
    if (mask) input = ops.multiply(input, mask);
  }
  return { rows, flip, layers, masks, out: (layers.at(-1) as LstmTrace).out };
};

/** dOut [N, R, H] → dx [G, R, in] */
export const lstmStackBackward = (
  pass: Gradients,
  stack: LstmStack,
  { flip, layers, masks }: StackTrace,
  dOut: Tensor,
): Tensor => {
  const { ops } = pass;
  let d = dOut;
  for (let depth = layers.length - 1; ; depth--) {
    const dSpread = lstmBackward(pass, stack.layers[depth] as Lstm, layers[depth] as LstmTrace, d);
    const dInput = gather(ops, stack, flip, dSpread);
    if (depth === 0) return dInput;
    const mask = masks[depth - 1];
    d = part(ops, stack, flip, mask ? ops.multiply(dInput, mask) : dInput);
  }
};

/** Row in [N·R] of the last element of each sequence in each direction, by group, sequence, direction. */
const lastRows = (stack: LstmStack, { groups, rows, last }: LstmRows): Int32Array =>
  Int32Array.from({ length: last.length * stack.directions }, (_, i) => {
    const direction = i % stack.directions;
    return direction * groups * rows + (last[Math.floor(i / stack.directions)] as number);
  });

/** What each direction knows at its end: [N, R, H] → [G, slots, directions·H]. */
export const lastStates = (ops: Ops, stack: LstmStack, { rows, out }: StackTrace): Tensor => {
  const [networks, count, width] = out.shape as [number, number, number];
  const chosen = ops.gather(
    ops.reshape(out, [networks * count, width]),
    ops.uploadIndices(lastRows(stack, rows)),
  );
  return ops.reshape(chosen, [rows.groups, rows.slots, stack.directions * width]);
};

/** The gradient of lastStates. */
export const lastStatesBackward = (ops: Ops, stack: LstmStack, { rows, out }: StackTrace, d: Tensor) => {
  const [networks, count, width] = out.shape as [number, number, number];
  const indices = lastRows(stack, rows);
  const sparse = ops.reshape(d, [indices.length, width]);
  const all = ops.uploadIndices(Int32Array.from(indices.keys()));
  const dense = ops.segmentSumGradient(sparse, ops.uploadIndices(indices), all, networks * count);
  return ops.reshape(dense, out.shape);
};
