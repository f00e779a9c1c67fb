import * as tf from '@tensorflow/tfjs';

/** One attribute of a TensorFlow operation, as the addon takes it. */
export interface Attribute {
  name: string;
  type: number;
  value: boolean | number | string | number[];
}

interface Handle {
  id: number;
  shape: number[];
  dtype: number;
}

/** What we use of the addon under the `tensorflow` backend: eager operations on handles, no bookkeeping. */
export interface NativeBinding {
  createTensor(shape: readonly number[], dtype: number, values: Float32Array | Int32Array): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array;
  executeOp(operation: string, attributes: Attribute[], inputs: number[], outputs: number): Handle[];
  getNumOfTensors(): number;
  TF_FLOAT: number;
  TF_INT32: number;
  TF_ATTR_STRING: number;
  TF_ATTR_INT: number;
  TF_ATTR_BOOL: number;
  TF_ATTR_TYPE: number;
  TF_ATTR_SHAPE: number;
}

const isBinding = (value: unknown): value is NativeBinding =>
  typeof value === 'object' && value !== null && 'executeOp' in value && 'getNumOfTensors' in value;

/** The addon's raw binding when native TensorFlow is the active backend; else nothing. */
export const nativeBinding = (): NativeBinding | undefined => {
  const backend: unknown = tf.getBackend() === 'tensorflow' ? tf.backend() : undefined;
  if (typeof backend !== 'object' || backend === null || !('binding' in backend)) return undefined;
  return isBinding(backend.binding) ? backend.binding : undefined;
};

/** What holds handles that outlive a scope. */
export interface LastingHolder {
  /** Takes new handles for all that it holds and deletes the old ones. */
  renew(): void;
}

/** Ids between two renewals: a quarter of all there are. */
const period = 2 ** 30;

/**
 * The addon numbers handles by a 32-bit counter that starts over. Where the next number is still in use it
 * does not skip it, but silently gives out the old array under it. A 12-layer model takes some 2,200 handles
 * a step, so that is after two million steps. Scopes end long before; what lives longer is renewed here, so
 * no number is ever met again.
 */
class LastingHandles {
  readonly #holders = new Set<LastingHolder>();
  #since: number | undefined;

  join(holder: LastingHolder): void {
    this.#holders.add(holder);
  }
  leave(holder: LastingHolder): void {
    this.#holders.delete(holder);
  }

  /** Takes the newest id whenever a scope has closed; renews what is due. */
  note(newest: number): void {
    this.#since ??= newest;
    // In 32 bits, as the counter counts. Negative where another holder has seen newer ones.
    if (((newest - this.#since) | 0) < period) return;
    this.#since = newest;
    for (const holder of this.#holders) holder.renew();
  }
}

const ofBinding = new WeakMap<NativeBinding, LastingHandles>();

/** The one register of an addon's lasting handles. */
export const lastingHandles = (binding: NativeBinding): LastingHandles => {
  const known = ofBinding.get(binding) ?? new LastingHandles();
  ofBinding.set(binding, known);
  return known;
};
