/**
 * Layers of a GPT-2 block (Radford et al., Language models are unsupervised multitask learners, 2019), each
 * as a forward that remembers what its backward needs. R rows, E embedding. A backward hands each parameter's
 * gradient to `update` at once, after its last use of the parameter, so that no two gradients need be alive.
 */
import type { Pace } from '../../kernel/pace.ts';
import type { Operand, Ops, Tensor, Variable } from '../ops/ops.ts';

/** Takes a parameter's gradient: applies it, or collects it. The gradient is freed after the call. */
export type Update = (parameter: Variable, gradient: Tensor) => void;

/** What the backward of a layer runs on, and what takes the gradients of its parameters. */
export interface Gradients {
  ops: Ops;
  update: Update;
}

/** What a network's forward pass runs on; long work rests between its operations. */
export interface Forward {
  ops: Ops;
  pace: Pace;
}

/** The same of its backward pass. */
export interface Backward extends Forward, Gradients {}

/** Hands a gradient over and frees it. */
export const deliver = ({ ops, update }: Gradients, parameter: Variable, gradient: Tensor): void => {
  update(parameter, gradient);
  ops.free(gradient);
};

export interface Linear {
  weight: Variable; // [in, out]
  bias: Variable; // [out]
  /** Multiply in bfloat16, where the backend has such products. The weight and its gradient stay float32. */
  rounded?: boolean;
}

/** [R, in] → [R, out] */
export const linear = (ops: Ops, { weight, bias, rounded }: Linear, x: Operand): Tensor => {
  const short = rounded ? ops.rounded : undefined;
  const product = short
    ? ops.tidy(() => short.multiply(short.round(x), short.round(weight)))
    : ops.matMul(x, weight);
  return ops.add(product, bias);
};

/** dy [R, out] → dx [R, in] */
export const linearBackward = (pass: Gradients, layer: Linear, x: Tensor, dy: Tensor): Tensor => {
  const { ops } = pass;
  const { weight, bias } = layer;
  const short = layer.rounded ? ops.rounded : undefined;
  const [dx, dWeight] = short
    ? ops.tidy(() => {
        const slopes = short.round(dy);
        const dx = short.multiply(slopes, short.round(weight), { transposeB: true });
        return [dx, short.multiply(short.round(x), slopes, { transposeA: true })] as const;
      })
    : [ops.matMul(dy, weight, { transposeB: true }), ops.matMul(x, dy, { transposeA: true })];
  deliver(pass, weight, dWeight);
  deliver(pass, bias, ops.sumRows(dy));
  return dx;
};

export interface Norm {
  weight: Variable; // [E]
  bias: Variable; // [E]
}
export interface NormTrace {
  normal: Tensor; // [R, E] mean 0, variance 1
  scale: Tensor; // [R, 1] one over the standard deviation
  out: Tensor; // [R, E]
}

/** [R, E] → [R, E]; ε = 1e-5 inside the root. */
export const layerNorm = (ops: Ops, { weight, bias }: Norm, x: Tensor): NormTrace => {
  const centered = ops.subtract(x, ops.meanLast(x));
  const scale = ops.rsqrt(ops.shift(ops.meanLast(ops.square(centered)), 1e-5));
  const normal = ops.multiply(centered, scale);
  return { normal, scale, out: ops.add(ops.multiply(normal, weight), bias) };
};

/** dy [R, E] → dx [R, E] */
export const layerNormBackward = (
  pass: Gradients,
  { weight, bias }: Norm,
  { normal, scale }: NormTrace,
  dy: Tensor,
): Tensor => {
  const { ops } = pass;
  const d = ops.multiply(dy, weight);
  deliver(pass, weight, ops.sumRows(ops.multiply(dy, normal)));
  deliver(pass, bias, ops.sumRows(dy));
  const shared = ops.add(ops.meanLast(d), ops.multiply(normal, ops.meanLast(ops.multiply(d, normal))));
  return ops.multiply(scale, ops.subtract(d, shared));
};

export interface GeluTrace {
  x: Tensor;
  squared: Tensor;
  gate: Tensor; // σ(2u)
  out: Tensor;
}
const geluSlope = 2 * Math.sqrt(2 / Math.PI);
const geluCubic = 0.044715;

/**
 * ½x(1 + tanh u) with u = √(2/π)(x + 0.044715x³), as x·σ(2u): the same, in fewer passes over the widest
 * arrays.
 */
export const gelu = (ops: Ops, x: Tensor): GeluTrace => {
  const squared = ops.square(x);
  const twice = ops.multiply(x, ops.shift(ops.scale(squared, geluSlope * geluCubic), geluSlope)); // 2u
  const gate = ops.sigmoid(twice);
  return { x, squared, gate, out: ops.multiply(x, gate) };
};

/** σ(2u) + x·σ(2u)(1 - σ(2u))·2√(2/π)(1 + 3·0.044715x²), times dy. */
export const geluBackward = (ops: Ops, { x, squared, gate }: GeluTrace, dy: Tensor): Tensor => {
  const slope = ops.shift(ops.scale(squared, 3 * geluSlope * geluCubic), geluSlope);
  return ops.multiply(dy, ops.add(gate, ops.sigmoidGradient(ops.multiply(x, slope), gate)));
};

export interface ExactGeluTrace {
  x: Tensor;
  below: Tensor; // Φ(x)
  out: Tensor;
}

/** x·Φ(x), Φ the normal distribution's cumulative function: the form of BERT and BART. */
export const exactGelu = (ops: Ops, x: Tensor): ExactGeluTrace => {
  const below = ops.scale(ops.shift(ops.erf(ops.scale(x, Math.SQRT1_2)), 1), 0.5);
  return { x, below, out: ops.multiply(x, below) };
};

/** Φ(x) + x·exp(-x²/2)/√(2π), times dy. */
export const exactGeluBackward = (ops: Ops, { x, below }: ExactGeluTrace, dy: Tensor): Tensor => {
  const density = ops.scale(ops.exp(ops.scale(ops.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return ops.multiply(dy, ops.add(below, ops.multiply(x, density)));
};
