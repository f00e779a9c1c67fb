import { ArenaOps } from './arena.ts';
import { type Attribute, type LastingHolder, lastingHandles, type NativeBinding } from './native-binding.ts';
import { NativeVariables } from './native-variables.ts';
import {
  type AdamRates,
  isVariable,
  type Operand,
  type Tensor,
  type Variable,
  type VariableState,
} from './ops.ts';

/** Most that are kept once a scope has closed; the oldest go. */
const limit = 512;

/** Ids of the scalars and shapes that operations take as inputs, kept on the device between operations. */
class NativeConstants {
  readonly #binding: NativeBinding;
  readonly #ids = new Map<string, number>();

  constructor(binding: NativeBinding) {
    this.#binding = binding;
  }

  #constant(key: string, shape: number[], make: () => Float32Array | Int32Array): number {
    const known = this.#ids.get(key);
    if (known !== undefined) {
      this.#ids.delete(key);
      this.#ids.set(key, known);
      return known;
    }
    const { createTensor, TF_FLOAT, TF_INT32 } = this.#binding;
    const values = make();
    const id = createTensor(shape, values instanceof Float32Array ? TF_FLOAT : TF_INT32, values);
    this.#ids.set(key, id);
    return id;
  }
  number(value: number): number {
    return this.#constant(`f${value}`, [], () => Float32Array.of(value));
  }
  integer(value: number): number {
    return this.#constant(`i${value}`, [], () => Int32Array.of(value));
  }
  integers(values: readonly number[]): number {
    return this.#constant(`v${values.join()}`, [values.length], () => Int32Array.from(values));
  }
  /** Ones where row < column, else zeros. */
  triangle([rows, columns]: readonly [number, number]): number {
    return this.#constant(`t${rows},${columns}`, [rows, columns], () => {
      const ones = new Float32Array(rows * columns);
      for (let row = 0; row < rows; row++)
        ones.fill(1, Math.min((row + 1) * columns, row * columns + row + 1), (row + 1) * columns);
      return ones;
    });
  }

  trim(most = limit): void {
    for (const [key, id] of this.#ids) {
      if (this.#ids.size <= most) return;
      this.#ids.delete(key);
      this.#binding.deleteTensor(id);
    }
  }
}

/**
 * What lives on the device of the addon: tensors by scope, variables, constants; and the call that makes
 * tensors.
 */
export abstract class NativeMemory extends ArenaOps implements LastingHolder {
  protected readonly constants: NativeConstants;
  readonly #binding: NativeBinding;
  readonly #variables: NativeVariables;

  constructor(binding: NativeBinding) {
    super();
    this.#binding = binding;
    this.#variables = new NativeVariables(binding);
    this.constants = new NativeConstants(binding);
    lastingHandles(binding).join(this);
  }

  protected release(id: number): void {
    this.#binding.deleteTensor(id);
  }
  protected override closed(newest: number): void {
    this.#variables.forget();
    this.constants.trim();
    lastingHandles(this.#binding).note(newest);
  }

  protected runAll(
    operation: string,
    attributes: Attribute[],
    operands: readonly Operand[],
    constants: number[],
    outputs: number,
  ): Tensor[] {
    const inputs = operands.map((operand) =>
      isVariable(operand) ? this.#variables.read(operand) : operand.id,
    );
    const results = this.#binding.executeOp(operation, attributes, [...inputs, ...constants], outputs);
    for (const { id } of results) this.arena.track(id);
    return results;
  }

  /** See LastingHandles. Kept tensors are not renewed: none is kept for billions of operations. */
  renew(): void {
    this.#variables.renew();
    this.constants.trim(0);
  }

  dispose(): void {
    this.arena.dispose();
    this.#variables.dispose();
    this.constants.trim(0);
    lastingHandles(this.#binding).leave(this);
  }
  get held(): number {
    return this.arena.size + this.#variables.held;
  }

  upload(values: Float32Array, shape: readonly number[]): Tensor {
    const id = this.#binding.createTensor(shape, this.#binding.TF_FLOAT, values);
    this.arena.track(id);
    return { id, shape };
  }
  uploadIndices(values: Int32Array): Tensor {
    const id = this.#binding.createTensor([values.length], this.#binding.TF_INT32, values);
    this.arena.track(id);
    return { id, shape: [values.length] };
  }
  download(operand: Operand): Float32Array {
    if (isVariable(operand)) return this.#variables.slot(operand, 'value');
    return this.#binding.tensorDataSync(operand.id);
  }

  variable(name: string, shape: readonly number[], state: Partial<VariableState>): Variable {
    return this.#variables.create(name, shape, state);
  }
  slot(variable: Variable, slot: keyof VariableState): Float32Array {
    return this.#variables.slot(variable, slot);
  }
  adam(variable: Variable, gradient: Tensor, rates: AdamRates): void {
    const { beta1, beta2, rate, epsilon, shrink = 0 } = rates;
    // Beta powers of zero turn the operation's own bias correction off; `rates` has it in double precision.
    const scalars = [0, 0, rate, beta1, beta2, epsilon].map((value) => this.constants.number(value));
    this.#variables.adam(variable, gradient.id, scalars);
    if (shrink === 0) return;
    const [one, none, threshold] = [1, 0, shrink].map((value) => this.constants.number(value));
    this.#variables.shrink(variable, gradient.id, one as number, threshold as number, none as number);
  }
}
