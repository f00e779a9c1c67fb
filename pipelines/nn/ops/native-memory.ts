import { Arena } from './arena.ts';
import { type LastingHolder, lastingHandles } from './lasting-handles.ts';
import type { Attribute, NativeBinding } from './native-binding.ts';
import { NativeConstants } from './native-constants.ts';
import { NativeVariables } from './native-variables.ts';
import {
  type AdamRates,
  isVariable,
  type Operand,
  type Tensor,
  type Variable,
  type VariableState,
} from './ops.ts';

/** What lives on the device of the addon: tensors by scope, variables, constants; and the call that makes tensors. */
export class NativeMemory implements LastingHolder {
  protected readonly constants: NativeConstants;
  readonly #binding: NativeBinding;
  readonly #arena: Arena;
  readonly #variables: NativeVariables;

  constructor(binding: NativeBinding) {
    this.#binding = binding;
    this.#arena = new Arena(
      (id) => binding.deleteTensor(id),
      (newest) => {
        this.#variables.forget();
        this.constants.trim();
        lastingHandles(binding).note(newest);
      },
    );
    this.#variables = new NativeVariables(binding);
    this.constants = new NativeConstants(binding);
    lastingHandles(binding).join(this);
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
    for (const { id } of results) this.#arena.track(id);
    return results;
  }

  /** See LastingHandles. Kept tensors are not renewed: nobody keeps one for billions of operations. */
  renew(): void {
    this.#variables.renew();
    this.constants.trim(0);
  }

  scope<T>(work: () => T): T {
    return this.#arena.run(work);
  }
  tidy<T extends Tensor | readonly Tensor[]>(work: () => T): T {
    return this.#arena.tidy(work);
  }
  keep(tensor: Tensor): Tensor {
    this.#arena.keep(tensor.id);
    return tensor;
  }
  free(tensor: Tensor): void {
    this.#arena.free(tensor.id);
  }
  dispose(): void {
    this.#arena.dispose();
    this.#variables.dispose();
    this.constants.trim(0);
    lastingHandles(this.#binding).leave(this);
  }
  get held(): number {
    return this.#arena.size + this.#variables.held;
  }

  upload(values: Float32Array, shape: readonly number[]): Tensor {
    const id = this.#binding.createTensor(shape, this.#binding.TF_FLOAT, values);
    this.#arena.track(id);
    return { id, shape };
  }
  uploadIndices(values: Int32Array): Tensor {
    const id = this.#binding.createTensor([values.length], this.#binding.TF_INT32, values);
    this.#arena.track(id);
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
    const { beta1, beta2, rate, epsilon } = rates;
    // Beta powers of zero turn the operation's own bias correction off; `rates` has it in double precision.
    const scalars = [0, 0, rate, beta1, beta2, epsilon].map((value) => this.constants.number(value));
    this.#variables.adam(variable, gradient.id, scalars);
  }
}
