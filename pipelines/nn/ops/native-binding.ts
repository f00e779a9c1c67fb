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
