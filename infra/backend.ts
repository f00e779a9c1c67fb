import util from 'node:util';

/** What computes tensors in this process. */
export interface BackendInfo {
  name: 'tensorflow' | 'wasm' | 'cpu';
  device: 'cpu' | 'gpu';
  version: string;
}

/** Loads native TensorFlow behind `@tensorflow/tfjs`; the only place that names the addon. */
export const startBackend = async (): Promise<BackendInfo> => {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  // tfjs-node 4.22 calls a function that Node 23 removed.
  Object.assign(util, { isNullOrUndefined: (value: unknown) => value === null || value === undefined });
  const tf = await import('@tensorflow/tfjs-node');
  await tf.ready();
  return { name: 'tensorflow', device: 'cpu', version: tf.version['tfjs-node'] ?? '' };
};
