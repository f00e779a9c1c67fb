import type { Attribute, NativeBinding } from './native-binding.ts';
import type { Variable, VariableState } from './ops.ts';

/**
 * Ids of the resources behind one variable; Adam's slots are there once it was updated or they were given.
 */
interface Resources {
  value: number;
  slots?: { mean: number; square: number };
}

/** TF_RESOURCE of TensorFlow's C API. */
const resourceType = 20;

let created = 0;

/** TensorFlow resource variables: read without copying, updated in place. */
export class NativeVariables {
  readonly #binding: NativeBinding;
  readonly #resources = new Map<Variable, Resources>();
  /** Tensors on the variables' own memory. One that is alive at an update would make it copy. */
  readonly #reads = new Map<Variable, number>();
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
    const lasting = [...this.#resources.values()].reduce((sum, resources) => sum + ids(resources).length, 0);
    return lasting + this.#reads.size;
  }

  create(name: string, shape: readonly number[], state: Partial<VariableState>): Variable {
    const variable: Variable = { name, shape };
    const { value, mean, square } = state;
    const resources: Resources = { value: this.#resource(shape, value) };
    if (mean && square)
      resources.slots = { mean: this.#resource(shape, mean), square: this.#resource(shape, square) };
    this.#resources.set(variable, resources);
    return variable;
  }

  #one(operation: string, attributes: Attribute[], inputs: number[]): number {
    const [handle] = this.#binding.executeOp(operation, attributes, inputs, 1);
    if (!handle) throw new RangeError(`${operation} gave no result`);
    return handle.id;
  }

  /** A resource that holds a copy of `values`, or zeros. */
  #resource(shape: readonly number[], values?: Float32Array): number {
    const { TF_ATTR_SHAPE, TF_ATTR_STRING } = this.#binding;
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
    const owned = values ? this.#copy(shape, values) : this.#zeros(shape);
    this.#binding.executeOp('AssignVariableOp', [this.#dtype], [handle, owned], 0);
    this.#binding.deleteTensor(owned);
    return handle;
  }

  /** Uploads are read in place, so an update would write into the caller's array: times one makes a copy. */
  #copy(shape: readonly number[], values: Float32Array): number {
    const { TF_ATTR_TYPE, TF_FLOAT } = this.#binding;
    const lent = this.#binding.createTensor(shape, TF_FLOAT, values);
    const one = this.#binding.createTensor([], TF_FLOAT, Float32Array.of(1));
    const owned = this.#one('Mul', [{ name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT }], [lent, one]);
    for (const id of [lent, one]) this.#binding.deleteTensor(id);
    return owned;
  }

  #zeros(shape: readonly number[]): number {
    const { TF_ATTR_TYPE, TF_FLOAT, TF_INT32 } = this.#binding;
    const dimensions = this.#binding.createTensor([shape.length], TF_INT32, Int32Array.from(shape));
    const zero = this.#binding.createTensor([], TF_FLOAT, Float32Array.of(0));
    const types = [
      { name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT },
      { name: 'index_type', type: TF_ATTR_TYPE, value: TF_INT32 },
    ];
    const zeros = this.#one('Fill', types, [dimensions, zero]);
    for (const id of [dimensions, zero]) this.#binding.deleteTensor(id);
    return zeros;
  }

  #find(variable: Variable): Resources {
    const resources = this.#resources.get(variable);
    if (!resources) throw new RangeError(`variable ${variable.name} is of other Ops, or disposed`);
    return resources;
  }

  #read(resource: number): number {
    return this.#one('ReadVariableOp', [this.#dtype], [resource]);
  }

  /** Id of a tensor on the variable's own memory; alive until the next update, or `forget`. */
  read(variable: Variable): number {
    const known = this.#reads.get(variable);
    if (known !== undefined) return known;
    const id = this.#read(this.#find(variable).value);
    this.#reads.set(variable, id);
    return id;
  }
  #forgetOne(variable: Variable): void {
    const id = this.#reads.get(variable);
    if (id === undefined) return;
    this.#binding.deleteTensor(id);
    this.#reads.delete(variable);
  }
  /** Deletes the tensors that `read` gave. */
  forget(): void {
    for (const variable of this.#reads.keys()) this.#forgetOne(variable);
  }

  #download(resource: number): Float32Array {
    const id = this.#read(resource);
    const values = this.#binding.tensorDataSync(id);
    this.#binding.deleteTensor(id);
    return values;
  }
  slot(variable: Variable, slot: keyof VariableState): Float32Array {
    const { value, slots } = this.#find(variable);
    const resource = slot === 'value' ? value : slots?.[slot];
    if (resource !== undefined) return this.#download(resource);
    return new Float32Array(variable.shape.reduce((product, width) => product * width, 1));
  }

  /** `scalars`: ids of β₁ᵗ, β₂ᵗ, rate, β₁, β₂, ε. */
  adam(variable: Variable, gradient: number, scalars: number[]): void {
    const resources = this.#find(variable);
    resources.slots ??= { mean: this.#resource(variable.shape), square: this.#resource(variable.shape) };
    const { mean, square } = resources.slots;
    this.#forgetOne(variable);
    const inputs = [resources.value, mean, square, ...scalars, gradient];
    this.#binding.executeOp('ResourceApplyAdam', this.#adam, inputs, 0);
  }

  /** Every number moves toward zero by `threshold`, an id; `like`: a tensor of the variable's shape. */
  shrink(variable: Variable, like: number, one: number, threshold: number, none: number): void {
    const { value } = this.#find(variable);
    this.#forgetOne(variable);
    // A proximal step whose gradient is zero: Duchi, Singer, Efficient online and batch learning, 2009,
    // section 2.
    const [dtype, locking] = this.#adam as [Attribute, Attribute];
    const zeros = this.#one('ZerosLike', [dtype], [like]);
    const inputs = [value, one, threshold, none, zeros];
    this.#binding.executeOp('ResourceApplyProximalGradientDescent', [dtype, locking], inputs, 0);
    this.#binding.deleteTensor(zeros);
  }

  /** New handles on the same memory. */
  renew(): void {
    const type = { name: 'T', type: this.#binding.TF_ATTR_TYPE, value: resourceType };
    const renewed = (id: number): number => {
      const fresh = this.#one('Identity', [type], [id]);
      this.#binding.deleteTensor(id);
      return fresh;
    };
    for (const resources of this.#resources.values()) {
      resources.value = renewed(resources.value);
      const { slots } = resources;
      if (slots) resources.slots = { mean: renewed(slots.mean), square: renewed(slots.square) };
    }
  }

  dispose(): void {
    this.forget();
    const ignoreMissing: Attribute = {
      name: 'ignore_lookup_error',
      type: this.#binding.TF_ATTR_BOOL,
      value: true,
    };
    for (const resources of this.#resources.values())
      for (const resource of ids(resources)) {
        this.#binding.executeOp('DestroyResourceOp', [ignoreMissing], [resource], 0);
        this.#binding.deleteTensor(resource);
      }
    this.#resources.clear();
  }
}

const ids = ({ value, slots }: Resources): number[] => (slots ? [value, slots.mean, slots.square] : [value]);
