import * as tf from '@tensorflow/tfjs';
import { nativeBinding } from './native-binding.ts';
import { NativeOps } from './native-ops.ts';
import type { Ops } from './ops.ts';
import { PortableOps } from './portable-ops.ts';

/**
 * Ops on the backend that is active now: native TensorFlow where it was started, else what tfjs falls back
 * to.
 */
export const openOps = async (): Promise<Ops> => {
  await tf.ready();
  const binding = nativeBinding();
  return binding ? new NativeOps(binding) : new PortableOps();
};

/**
 * Device arrays alive in this process, of all Ops together: equal before and after work that leaks nothing.
 */
export const deviceArrays = (): number => nativeBinding()?.getNumOfTensors() ?? tf.memory().numTensors;
