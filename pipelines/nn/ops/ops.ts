/** An array on the device. It lives until its scope closes, or until it is freed. */
export interface Tensor {
  readonly id: number;
  readonly shape: readonly number[];
}

/** A trainable float32 array with its two Adam slots. It lives until the Ops are disposed. */
export interface Variable {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Where a tensor is read, a variable may stand. */
export type Operand = Tensor | Variable;

export const isVariable = (operand: Operand): operand is Variable => 'name' in operand;

/** A variable's numbers on our side: its value and both Adam slots. */
export interface VariableState {
  value: Float32Array;
  mean: Float32Array;
  square: Float32Array;
}

/** What one Adam update multiplies by, bias correction included; see adamRates. */
export interface AdamRates {
  beta1: number;
  beta2: number;
  rate: number;
  epsilon: number;
  /** After the update every number moves so far toward zero, and no further; absent: not at all. */
  shrink?: number;
}

export interface Transposes {
  transposeA?: boolean;
  transposeB?: boolean;
}

/**
 * Products of matrices rounded to bfloat16 (8 bits of mantissa instead of 24), twice as fast on hardware for
 * them.
 */
export interface RoundedProducts {
  /** Rounds; `multiply` alone can read the result. */
  round(a: Operand): Tensor;
  /**
   * As matMul, of two that `round` gave: sums are of float32, rounded once, and the result is float32 again.
   */
  multiply(a: Tensor, b: Tensor, transposes?: Transposes): Tensor;
}

/** Row by row: the loss, and its gradient by the logits. */
export interface CrossEntropy {
  /** [m] -ln softmax(logits)[target] */
  losses: Tensor;
  /** [m, n] softmax(logits), less one at the target. */
  slopes: Tensor;
}

/**
 * The numeric operations models are written in; forward and backward are both explicit. Numbers are float32
 * and row-major. Every result belongs to the scope that is open; without one, operations throw RangeError.
 * One Ops serves one piece of work at a time: two models at once take two.
 */
export interface Ops {
  /**
   * Runs `work` and frees all it made, except what was kept. Scopes nest; `work` may wait between operations.
   */
  scope<T>(work: () => Promise<T>): Promise<T>;
  scope<T>(work: () => T): T;
  /** As scope, at once, but the tensors that `work` returns move to the enclosing scope. */
  tidy<T extends Tensor | readonly Tensor[]>(work: () => T): T;
  /** Takes a tensor out of its scope: from now on it is the caller's to free. */
  keep(tensor: Tensor): Tensor;
  /** Frees before the scope does, where memory matters. */
  free(tensor: Tensor): void;
  /** Frees every variable and tensor. */
  dispose(): void;
  /** Arrays alive on the device that these Ops hold, variables included. */
  readonly held: number;

  /** The device may read `values` in place: do not write to it any more. */
  upload(values: Float32Array, shape: readonly number[]): Tensor;
  uploadIndices(values: Int32Array): Tensor;
  /** A copy, the caller's own. */
  download(operand: Operand): Float32Array;

  variable(name: string, shape: readonly number[], state: Partial<VariableState>): Variable;
  /** One of a variable's arrays; a copy, the caller's own. */
  slot(variable: Variable, slot: keyof VariableState): Float32Array;
  /** variable −= rate · m̂ / (√v̂ + ε), then `shrink`, in place; the slots move with it. */
  adam(variable: Variable, gradient: Tensor, rates: AdamRates): void;

  /** [m, k] × [k, n] → [m, n] */
  matMul(a: Operand, b: Operand, transposes?: Transposes): Tensor;
  /** Absent where the backend has none. */
  readonly rounded?: RoundedProducts;
  /** [..., m, k] × [..., k, n] → [..., m, n] */
  batchMatMul(a: Operand, b: Operand, transposes?: Transposes): Tensor;
  /** These three broadcast. */
  add(a: Operand, b: Operand): Tensor;
  subtract(a: Operand, b: Operand): Tensor;
  multiply(a: Operand, b: Operand): Tensor;
  scale(a: Operand, factor: number): Tensor;
  shift(a: Operand, term: number): Tensor;
  square(a: Operand): Tensor;
  rsqrt(a: Operand): Tensor;
  exp(a: Operand): Tensor;
  /** 2/√π · ∫₀ᵃ exp(-t²) dt */
  erf(a: Operand): Tensor;
  tanh(a: Operand): Tensor;
  relu(a: Operand): Tensor;
  sigmoid(a: Operand): Tensor;
  /** log(1 + eˣ) */
  softplus(a: Operand): Tensor;
  /** Over the last axis. */
  softmax(a: Operand): Tensor;
  /** Of logits [m, n] and each row's target, 0 ≤ targets[i] < n. */
  crossEntropy(logits: Operand, targets: Tensor): CrossEntropy;
  /** dy · y(1 - y), for `y` that sigmoid gave. */
  sigmoidGradient(dy: Operand, y: Operand): Tensor;
  /** dy where the relu let through (`y` > 0), else 0. */
  reluGradient(dy: Operand, y: Operand): Tensor;

  /** [..., n] → [..., 1] */
  meanLast(a: Operand): Tensor;
  /** [..., n] → [..., 1] */
  sumLast(a: Operand): Tensor;
  /** [m, n] with zeros where row > column; `strict`: where row ≥ column. */
  upperTriangle(a: Operand, strict: boolean): Tensor;
  /** [m, n] → [n] */
  sumRows(a: Operand): Tensor;
  /** All numbers added up, on our side. */
  total(a: Operand): number;
  /** Their squares added up, on our side. */
  sumOfSquares(a: Operand): number;

  reshape(a: Operand, shape: readonly number[]): Tensor;
  transpose(a: Operand, permutation: readonly number[]): Tensor;
  slice(a: Operand, begin: readonly number[], size: readonly number[]): Tensor;
  concat(parts: readonly Operand[], axis: number): Tensor;
  /** k of [...] → [k, ...] */
  stack(parts: readonly Operand[]): Tensor;
  /** [k, ...] → k of [...] */
  unstack(a: Operand): Tensor[];
  /** [m, ...], [k] → [k, ...] */
  gather(a: Operand, rows: Tensor): Tensor;

  /** out[segments[i]] += a[rows[i]]: [m, n] → [count, n]. `segments` ascends. Cost follows the entries. */
  segmentSum(a: Operand, rows: Tensor, segments: Tensor, count: number): Tensor;
  /** The gradient of segmentSum: out[rows[i]] += dy[segments[i]]: [segments, n] → [count, n]. */
  segmentSumGradient(dy: Operand, rows: Tensor, segments: Tensor, count: number): Tensor;
}
