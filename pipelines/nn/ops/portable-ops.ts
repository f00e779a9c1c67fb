import * as tf from '@tensorflow/tfjs';
import { ArenaOps } from './arena.ts';
import {
  type AdamRates,
  type CrossEntropy,
  isVariable,
  type Operand,
  type Ops,
  type Tensor,
  type Transposes,
  type Variable,
  type VariableState,
} from './ops.ts';

type Slots = Record<keyof VariableState, tf.Tensor>;

/**
 * Ops on whatever backend tfjs has (WASM, plain JavaScript), for small work where there is no native
 * TensorFlow. Sparse sums are dense products here, so cost and memory follow the vocabulary.
 */
export class PortableOps extends ArenaOps implements Ops {
  readonly #tensors = new Map<number, tf.Tensor>();
  readonly #variables = new Map<Variable, Slots>();

  protected release(id: number): void {
    this.#tensors.get(id)?.dispose();
    this.#tensors.delete(id);
  }

  #slots(variable: Variable): Slots {
    const slots = this.#variables.get(variable);
    if (!slots) throw new RangeError(`variable ${variable.name} is of other Ops, or disposed`);
    return slots;
  }
  #get(operand: Operand): tf.Tensor {
    const tensor = isVariable(operand) ? this.#slots(operand).value : this.#tensors.get(operand.id);
    if (!tensor) throw new RangeError('a tensor is read after its scope closed');
    return tensor;
  }
  #own(result: tf.Tensor): Tensor {
    this.#tensors.set(result.id, result);
    this.arena.track(result.id);
    return { id: result.id, shape: result.shape };
  }
  /** Intermediates of `work` go at once; its result goes with the scope. */
  #run(work: () => tf.Tensor): Tensor {
    return this.#own(tf.tidy(work));
  }

  dispose(): void {
    this.arena.dispose();
    for (const slots of this.#variables.values()) tf.dispose(Object.values(slots));
    this.#variables.clear();
  }
  get held(): number {
    return this.arena.size + this.#variables.size * 3;
  }

  upload = (values: Float32Array, shape: readonly number[]): Tensor =>
    this.#run(() => tf.tensor(values, [...shape], 'float32'));
  uploadIndices = (values: Int32Array): Tensor =>
    this.#run(() => tf.tensor(values, [values.length], 'int32'));
  download = (operand: Operand): Float32Array => Float32Array.from(this.#get(operand).dataSync());

  variable(name: string, shape: readonly number[], state: Partial<VariableState>): Variable {
    const variable: Variable = { name, shape };
    const tensor = (values?: Float32Array) =>
      values ? tf.tensor(values.slice(), [...shape], 'float32') : tf.zeros([...shape]);
    const { value, mean, square } = state;
    this.#variables.set(variable, { value: tensor(value), mean: tensor(mean), square: tensor(square) });
    return variable;
  }
  slot = (variable: Variable, slot: keyof VariableState): Float32Array =>
    Float32Array.from(this.#slots(variable)[slot].dataSync());
  adam(variable: Variable, gradient: Tensor, rates: AdamRates): void {
    const { beta1, beta2, rate, epsilon, shrink = 0 } = rates;
    const old = this.#slots(variable);
    const g = this.#get(gradient);
    const [value, mean, square] = tf.tidy(() => {
      const mean = old.mean.add(g.sub(old.mean).mul(1 - beta1));
      const square = old.square.add(
        g
          .square()
          .sub(old.square)
          .mul(1 - beta2),
      );
      const moved = old.value.sub(mean.mul(rate).div(square.sqrt().add(epsilon)));
      const value = shrink > 0 ? moved.sub(moved.clipByValue(-shrink, shrink)) : moved;
      return [value, mean, square];
    }) as [tf.Tensor, tf.Tensor, tf.Tensor];
    tf.dispose(Object.values(old));
    this.#variables.set(variable, { value, mean, square });
  }

  matMul(a: Operand, b: Operand, { transposeA = false, transposeB = false }: Transposes = {}): Tensor {
    return this.#run(() => tf.matMul(this.#get(a), this.#get(b), transposeA, transposeB));
  }
  batchMatMul = (a: Operand, b: Operand, transposes: Transposes = {}): Tensor =>
    this.matMul(a, b, transposes);
  add = (a: Operand, b: Operand): Tensor => this.#run(() => tf.add(this.#get(a), this.#get(b)));
  subtract = (a: Operand, b: Operand): Tensor => this.#run(() => tf.sub(this.#get(a), this.#get(b)));
  multiply = (a: Operand, b: Operand): Tensor => this.#run(() => tf.mul(this.#get(a), this.#get(b)));
  scale = (a: Operand, factor: number): Tensor => this.#run(() => tf.mul(this.#get(a), factor));
  shift = (a: Operand, term: number): Tensor => this.#run(() => tf.add(this.#get(a), term));
  square = (a: Operand): Tensor => this.#run(() => tf.square(this.#get(a)));
  rsqrt = (a: Operand): Tensor => this.#run(() => tf.rsqrt(this.#get(a)));
  exp = (a: Operand): Tensor => this.#run(() => tf.exp(this.#get(a)));
  erf = (a: Operand): Tensor => this.#run(() => tf.erf(this.#get(a)));
  tanh = (a: Operand): Tensor => this.#run(() => tf.tanh(this.#get(a)));
  relu = (a: Operand): Tensor => this.#run(() => tf.relu(this.#get(a)));
  sigmoid = (a: Operand): Tensor => this.#run(() => tf.sigmoid(this.#get(a)));
  softplus = (a: Operand): Tensor =>
    this.#run(() => {
      const x = this.#get(a);
      return tf.add(tf.relu(x), tf.log1p(tf.exp(tf.neg(tf.abs(x)))));
    });
  softmax = (a: Operand): Tensor => this.#run(() => tf.softmax(this.#get(a)));
  crossEntropy(logits: Operand, targets: Tensor): CrossEntropy {
    const oneHot = () => tf.cast(tf.oneHot(this.#get(targets), logits.shape[1] as number), 'float32');
    const losses = this.#run(() => {
      const z = this.#get(logits);
      const shifted = tf.sub(z, tf.max(z, -1, true));
      return tf.sub(tf.log(tf.sum(tf.exp(shifted), -1)), tf.sum(tf.mul(shifted, oneHot()), -1));
    });
    return { losses, slopes: this.#run(() => tf.sub(tf.softmax(this.#get(logits)), oneHot())) };
  }
  sigmoidGradient = (dy: Operand, y: Operand): Tensor =>
    this.#run(() => {
      const s = this.#get(y);
      return tf.mul(this.#get(dy), tf.mul(s, tf.sub(1, s)));
    });
  reluGradient = (dy: Operand, y: Operand): Tensor =>
    this.#run(() => tf.mul(this.#get(dy), tf.cast(tf.greater(this.#get(y), 0), 'float32')));

  upperTriangle = (a: Operand, strict: boolean): Tensor =>
    this.#run(() => {
      const x = this.#get(a);
      return strict ? tf.sub(x, tf.linalg.bandPart(x, -1, 0)) : tf.linalg.bandPart(x, 0, -1);
    });

  meanLast = (a: Operand): Tensor => this.#run(() => tf.mean(this.#get(a), -1, true));
  sumLast = (a: Operand): Tensor => this.#run(() => tf.sum(this.#get(a), -1, true));
  sumRows = (a: Operand): Tensor => this.#run(() => tf.sum(this.#get(a), 0));
  total = (a: Operand): number => this.download(this.#run(() => tf.sum(this.#get(a))))[0] as number;
  sumOfSquares = (a: Operand): number => this.scope(() => this.total(this.square(a)));

  reshape = (a: Operand, shape: readonly number[]): Tensor =>
    this.#run(() => tf.reshape(this.#get(a), [...shape]));
  transpose = (a: Operand, permutation: readonly number[]): Tensor =>
    this.#run(() => tf.transpose(this.#get(a), [...permutation]));
  slice = (a: Operand, begin: readonly number[], size: readonly number[]): Tensor =>
    this.#run(() => tf.slice(this.#get(a), [...begin], [...size]));
  concat = (parts: readonly Operand[], axis: number): Tensor =>
    this.#run(() =>
      parts.length === 1
        ? tf.clone(this.#get(parts[0] as Operand))
        : tf.concat(
            parts.map((part) => this.#get(part)),
            axis,
          ),
    );
  stack = (parts: readonly Operand[]): Tensor =>
    this.#run(() => tf.stack(parts.map((part) => this.#get(part))));
  unstack = (a: Operand): Tensor[] =>
    tf.tidy(() => tf.unstack(this.#get(a))).map((result) => this.#own(result));
  gather = (a: Operand, rows: Tensor): Tensor =>
    this.#run(() => tf.gather(this.#get(a), this.#get(rows) as tf.Tensor1D));

  /** [count, width] counts of (segment, row) pairs, or their transpose. */
  #pairs(rows: Tensor, segments: Tensor, shape: [number, number]): tf.Tensor2D {
    const counts = new Float32Array(shape[0] * shape[1]);
    const row = this.#get(rows).dataSync();
    const segment = this.#get(segments).dataSync();
    for (let i = 0; i < row.length; i++) {
      const cell = (segment[i] as number) * shape[1] + (row[i] as number);
      counts[cell] = (counts[cell] as number) + 1;
    }
    return tf.tensor2d(counts, shape);
  }
  segmentSum(a: Operand, rows: Tensor, segments: Tensor, count: number): Tensor {
    return this.#run(() => {
      const values = this.#get(a);
      return tf.matMul(this.#pairs(rows, segments, [count, values.shape[0] as number]), values);
    });
  }
  segmentSumGradient(dy: Operand, rows: Tensor, segments: Tensor, count: number): Tensor {
    return this.#run(() => {
      const gradient = this.#get(dy);
      const pairs = this.#pairs(rows, segments, [gradient.shape[0] as number, count]);
      return tf.matMul(pairs, gradient, true, false);
    });
  }
}
