import type { Attribute, NativeBinding } from './native-binding.ts';
import { NativeMemory } from './native-memory.ts';
import type { CrossEntropy, Operand, Ops, RoundedProducts, Tensor, Transposes } from './ops.ts';

/**
 * MatMul puts a transposed right side in order in each thread anew; BatchMatMulV2 of one batch does without.
 * Measured on two cores of TensorFlow 2.21, 256 × 1024: 425 against 1,050 µs at 60 rows, 2.9 against 3.5 ms
 * at 512. Small ones it does not pay for: 160 against 100 µs at 256 × 256.
 */
const largeMatrix = 2 ** 17;

/** TF_BFLOAT16 of TensorFlow's C API. */
const bfloat16 = 14;

const sizeOf = ({ shape }: Operand): number => shape.reduce((product, width) => product * width, 1);

/**
 * Ops as eager TensorFlow operations through the addon's raw binding: no tensor objects, no engine tracking,
 * resource variables updated in place.
 */
export class NativeOps extends NativeMemory implements Ops {
  readonly #float: Attribute;
  readonly #short: Attribute;
  readonly #index: (name: string) => Attribute;
  readonly #flag: (name: string, value: boolean) => Attribute;
  readonly #count: (name: string, value: number) => Attribute;

  constructor(binding: NativeBinding) {
    super(binding);
    this.#float = { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT };
    this.#short = { ...this.#float, value: bfloat16 };
    this.#index = (name) => ({ name, type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 });
    this.#flag = (name, value) => ({ name, type: binding.TF_ATTR_BOOL, value });
    this.#count = (name, value) => ({ name, type: binding.TF_ATTR_INT, value });
  }

  #run(
    operation: string,
    attributes: Attribute[],
    operands: readonly Operand[],
    constants: number[] = [],
  ): Tensor {
    const [result] = this.runAll(operation, attributes, operands, constants, 1);
    if (!result) throw new RangeError(`${operation} gave no result`);
    return result;
  }

  #product(
    operation: string,
    [first, second]: [string, string],
    a: Operand,
    b: Operand,
    by: Transposes,
  ): Tensor {
    const { transposeA = false, transposeB = false } = by;
    const flags = [this.#flag(first, transposeA), this.#flag(second, transposeB)];
    return this.#run(operation, [this.#float, ...flags], [a, b]);
  }
  matMul(a: Operand, b: Operand, by: Transposes = {}): Tensor {
    if (by.transposeB && !by.transposeA && sizeOf(b) >= largeMatrix) return this.batchMatMul(a, b, by);
    return this.#product('MatMul', ['transpose_a', 'transpose_b'], a, b, by);
  }
  batchMatMul = (a: Operand, b: Operand, by: Transposes = {}): Tensor =>
    this.#product('BatchMatMulV2', ['adj_x', 'adj_y'], a, b, by);
  readonly rounded: RoundedProducts = {
    round: (a) => this.#cast(a, this.#float, this.#short),
    multiply: (a, b, { transposeA = false, transposeB = false } = {}) =>
      this.tidy(() => {
        const flags = [this.#flag('transpose_a', transposeA), this.#flag('transpose_b', transposeB)];
        return this.#cast(this.#run('MatMul', [this.#short, ...flags], [a, b]), this.#short, this.#float);
      }),
  };
  #cast(a: Operand, from: Attribute, to: Attribute): Tensor {
    const types = [
      { ...from, name: 'SrcT' },
      { ...to, name: 'DstT' },
    ];
    return this.#run('Cast', [...types, this.#flag('Truncate', false)], [a]);
  }
  #pointwise(operation: string, ...operands: Operand[]): Tensor {
    return this.#run(operation, [this.#float], operands);
  }
  add = (a: Operand, b: Operand): Tensor => this.#pointwise('AddV2', a, b);
  subtract = (a: Operand, b: Operand): Tensor => this.#pointwise('Sub', a, b);
  multiply = (a: Operand, b: Operand): Tensor => this.#pointwise('Mul', a, b);
  scale = (a: Operand, factor: number): Tensor =>
    this.#run('Mul', [this.#float], [a], [this.constants.number(factor)]);
  shift = (a: Operand, term: number): Tensor =>
    this.#run('AddV2', [this.#float], [a], [this.constants.number(term)]);
  square = (a: Operand): Tensor => this.#pointwise('Square', a);
  rsqrt = (a: Operand): Tensor => this.#pointwise('Rsqrt', a);
  exp = (a: Operand): Tensor => this.#pointwise('Exp', a);
  erf = (a: Operand): Tensor => this.#pointwise('Erf', a);
  tanh = (a: Operand): Tensor => this.#pointwise('Tanh', a);
  relu = (a: Operand): Tensor => this.#pointwise('Relu', a);
  sigmoid = (a: Operand): Tensor => this.#pointwise('Sigmoid', a);
  softplus = (a: Operand): Tensor => this.#pointwise('Softplus', a);
  softmax = (a: Operand): Tensor => this.#pointwise('Softmax', a);
  crossEntropy(logits: Operand, targets: Tensor): CrossEntropy {
    const types = [this.#float, this.#index('Tlabels')];
    const operation = 'SparseSoftmaxCrossEntropyWithLogits';
    const [losses, slopes] = this.runAll(operation, types, [logits, targets], [], 2);
    if (!losses || !slopes) throw new RangeError(`${operation} gave no result`);
    return { losses, slopes };
  }
  sigmoidGradient = (dy: Operand, y: Operand): Tensor => this.#pointwise('SigmoidGrad', y, dy);
  reluGradient = (dy: Operand, y: Operand): Tensor => this.#pointwise('ReluGrad', dy, y);

  upperTriangle(a: Operand, strict: boolean): Tensor {
    // The operation that cuts triangles keeps the diagonal.
    if (strict)
      return this.#run('Mul', [this.#float], [a], [this.constants.triangle(a.shape as [number, number])]);
    const types: Attribute[] = [this.#float, this.#index('Tindex')];
    return this.#run('MatrixBandPart', types, [a], [this.constants.integer(0), this.constants.integer(-1)]);
  }

  #reduce(operation: string, a: Operand, axes: number[], keep: boolean): Tensor {
    const attributes = [this.#float, this.#index('Tidx'), this.#flag('keep_dims', keep)];
    return this.#run(operation, attributes, [a], [this.constants.integers(axes)]);
  }
  meanLast = (a: Operand): Tensor => this.#reduce('Mean', a, [a.shape.length - 1], true);
  sumLast = (a: Operand): Tensor => this.#reduce('Sum', a, [a.shape.length - 1], true);
  /** The gradient of adding a bias; a third of what Sum takes. */
  sumRows = (a: Operand): Tensor => this.#pointwise('BiasAddGrad', a);
  total(a: Operand): number {
    return this.download(this.#reduce('Sum', a, [...a.shape.keys()], false))[0] as number;
  }
  sumOfSquares = (a: Operand): number => 2 * (this.download(this.#pointwise('L2Loss', a))[0] as number);

  reshape(a: Operand, shape: readonly number[]): Tensor {
    return this.#run('Reshape', [this.#float, this.#index('Tshape')], [a], [this.constants.integers(shape)]);
  }
  transpose(a: Operand, permutation: readonly number[]): Tensor {
    return this.#run(
      'Transpose',
      [this.#float, this.#index('Tperm')],
      [a],
      [this.constants.integers(permutation)],
    );
  }
  slice(a: Operand, begin: readonly number[], size: readonly number[]): Tensor {
    const ends = [this.constants.integers(begin), this.constants.integers(size)];
    return this.#run('Slice', [this.#float, this.#index('Index')], [a], ends);
  }
  concat(parts: readonly Operand[], axis: number): Tensor {
    if (parts.length === 1) return this.#run('Identity', [this.#float], parts);
    const attributes = [this.#count('N', parts.length), this.#float, this.#index('Tidx')];
    return this.#run('ConcatV2', attributes, parts, [this.constants.integer(axis)]);
  }
  stack(parts: readonly Operand[]): Tensor {
    return this.#run('Pack', [this.#count('N', parts.length), this.#float, this.#count('axis', 0)], parts);
  }
  unstack(a: Operand): Tensor[] {
    const count = a.shape[0] as number;
    const attributes = [this.#count('num', count), this.#float, this.#count('axis', 0)];
    return this.runAll('Unpack', attributes, [a], [], count);
  }
  gather(a: Operand, rows: Tensor): Tensor {
    const types: Attribute[] = [
      { ...this.#float, name: 'Tparams' },
      this.#index('Tindices'),
      this.#index('Taxis'),
    ];
    return this.#run('GatherV2', types, [a, rows], [this.constants.integer(0)]);
  }

  segmentSum(a: Operand, rows: Tensor, segments: Tensor, count: number): Tensor {
    const types = [this.#float, ...['Tidx', 'Tnumsegments', 'Tsegmentids'].map(this.#index)];
    return this.#run(
      'SparseSegmentSumWithNumSegments',
      types,
      [a, rows, segments],
      [this.constants.integer(count)],
    );
  }
  segmentSumGradient(dy: Operand, rows: Tensor, segments: Tensor, count: number): Tensor {
    if (rows.shape[0] === 0) {
      // TensorFlow's kernel returns early and leaves what was in memory.
      const width = dy.shape[1] as number;
      return this.upload(new Float32Array(count * width), [count, width]);
    }
    const types = [this.#float, this.#index('Tidx'), this.#index('Tsegmentids')];
    return this.#run('SparseSegmentSumGrad', types, [dy, rows, segments], [this.constants.integer(count)]);
  }
}
