import type { Attribute, NativeBinding } from './native-binding.ts';
import type { Variable, VariableState } from './ops.ts';

/** Ids of the three resources behind one variable. */
interface Resources {
  value: number;
  mean: number;
  square: number;
}

let created = 0;

/** TensorFlow resource variables: read without copying, updated in place. */
export class NativeVariables {
  readonly #binding: NativeBinding;
  readonly #resources = new Map<Variable, Resources>();
  readonly #dtype: Attribute;
  readonly #adam: Attribute[];

  constructor(binding: NativeBinding) {
    this.#binding = binding;
    this.#dtype = { name: 'dtype', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT };
    this.#adam = [
      { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
      { name: 'use_locking', type: binding.TF_ATTR_BOOL, value: false },
      { name: 'use_nesterov', type: binding.TF_ATTR_BOOL, value: false },
    ];
  }

  get held(): number {
    return this.#resources.size * 3;
  }

  create(name: string, shape: readonly number[], state: Partial<VariableState>): Variable {
    const variable: Variable = { name, shape };
    const size = shape.reduce((product, width) => product * width, 1);
    const resource = (values?: Float32Array) => this.#resource(shape, values ?? new Float32Array(size));
    this.#resources.set(variable, {
      value: resource(state.value),
      mean: resource(state.mean),
      square: resource(state.square),
    });
    return variable;
  }

  #one(operation: string, attributes: Attribute[], inputs: number[]): number {
    const [handle] = this.#binding.executeOp(operation, attributes, inputs, 1);
    if (!handle) throw new RangeError(`${operation} gave no result`);
    return handle.id;
  }

  #resource(shape: readonly number[], values: Float32Array): number {
    const { TF_ATTR_SHAPE, TF_ATTR_STRING, TF_ATTR_TYPE, TF_FLOAT } = this.#binding;
    const handle = this.#one(
      'VarHandleOp',
      [
        this.#dtype,
        { name: 'shape', type: TF_ATTR_SHAPE, value: [...shape] },
        { name: 'shared_name', type: TF_ATTR_STRING, value: `understudy-${created++}` },
        { name: 'container', type: TF_ATTR_STRING, value: '' },
      ],
      [],
    );
    // Uploads are read in place, so an update would write into the caller's array: times one makes a copy.
    const lent = this.#binding.createTensor(shape, TF_FLOAT, values);
    const one = this.#binding.createTensor([], TF_FLOAT, Float32Array.of(1));
    const owned = this.#one('Mul', [{ name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT }], [lent, one]);
    this.#binding.executeOp('AssignVariableOp', [this.#dtype], [handle, owned], 0);
    for (const id of [lent, one, owned]) this.#binding.deleteTensor(id);
    return handle;
  }

  #find(variable: Variable): Resources {
    const resources = this.#resources.get(variable);
    if (!resources) throw new RangeError(`variable ${variable.name} is of other Ops, or disposed`);
    return resources;
  }

  #read(resource: number): number {
    return this.#one('ReadVariableOp', [this.#dtype], [resource]);
  }

  /** Id of a tensor on the variable's own memory; delete it before the next update. */
  read(variable: Variable): number {
    return this.#read(this.#find(variable).value);
  }

  #download(resource: number): Float32Array {
    const id = this.#read(resource);
    const values = this.#binding.tensorDataSync(id);
    this.#binding.deleteTensor(id);
    return values;
  }
  value(variable: Variable): Float32Array {
    return this.#download(this.#find(variable).value);
  }
  state(variable: Variable): VariableState {
    const { value, mean, square } = this.#find(variable);
    return {
      value: this.#download(value),
      mean: this.#download(mean),
      square: this.#download(square),
    };
  }

  /** `scalars`: ids of β₁ᵗ, β₂ᵗ, rate, β₁, β₂, ε. */
  adam(variable: Variable, gradient: number, scalars: number[]): void {
    const { value, mean, square } = this.#find(variable);
    this.#binding.executeOp('ResourceApplyAdam', this.#adam, [value, mean, square, ...scalars, gradient], 0);
  }

  dispose(): void {
    const ignoreMissing: Attribute = {
      name: 'ignore_lookup_error',
      type: this.#binding.TF_ATTR_BOOL,
      value: true,
    };
    for (const { value, mean, square } of this.#resources.values())
      for (const resource of [value, mean, square]) {
        this.#binding.executeOp('DestroyResourceOp', [ignoreMissing], [resource], 0);
        this.#binding.deleteTensor(resource);
      }
    this.#resources.clear();
  }
}
