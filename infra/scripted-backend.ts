import * as tf from '@tensorflow/tfjs';

/** Kernels that models need, which pure JavaScript has and the WASM backend lacks. */
const borrowed = ['Einsum', 'UnsortedSegmentSum'];

const carry = (info: tf.TensorInfo, from: tf.KernelBackend, to: tf.KernelBackend): tf.TensorInfo => ({
  dataId: to.write(from.readSync(info.dataId), info.shape, info.dtype),
  shape: info.shape,
  dtype: info.dtype,
});

/** A kernel for WASM that carries its tensors over to pure JavaScript and the result back. */
const borrow = (kernelName: string): void => {
  const { kernelFunc } = tf.getKernel(kernelName, 'cpu');
  tf.registerKernel({
    kernelName,
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs }) => {
      const [wasm, cpu] = [tf.backend(), tf.findBackend('cpu')];
      const there: tf.NamedTensorInfoMap = {};
      for (const [name, info] of Object.entries(inputs)) if (info) there[name] = carry(info, wasm, cpu);
      // Einsum hands its operands over as a list.
      const operands = Array.isArray(inputs) ? Object.assign([], there) : there;
      const [result] = [kernelFunc({ inputs: operands, backend: cpu, ...(attrs ? { attrs } : {}) })].flat();
      if (!result) throw new Error(`kernel ${kernelName} gave nothing`);
      const back = carry(result, cpu, wasm);
      for (const info of [...Object.values(there), result]) if (info) cpu.disposeData(info.dataId);
      return back;
    },
  });
};

const startWasm = async (): Promise<boolean> => {
  try {
    await import('@tensorflow/tfjs-backend-wasm');
    return await tf.setBackend('wasm');
  } catch {
    // No WebAssembly here: pure JavaScript always works.
    return false;
  }
};

/** Starts WASM, or pure JavaScript where there is no WebAssembly, behind `@tensorflow/tfjs`; says which. */
export const startScripted = async (): Promise<'wasm' | 'cpu'> => {
  // Its advertisement for tfjs-node is of no use to a user who asked for `js`.
  Object.assign(tf.findBackend('cpu'), { firstUse: false });
  if (await startWasm()) {
    for (const kernelName of borrowed) borrow(kernelName);
    return 'wasm';
  }
  await tf.setBackend('cpu');
  return 'cpu';
};
