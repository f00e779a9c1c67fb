import { createRequire } from 'node:module';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { StageError } from '../schemas/errors.ts';
import { quietLogPath } from './bootstrap/addon-path.ts';
import { defaultVariable, type Environment, readEnvironment } from './env.ts';
import { startScripted } from './scripted-backend.ts';

/** What computes tensors in this process. */
export interface BackendInfo {
  name: 'tensorflow' | 'wasm' | 'cpu';
  device: 'cpu' | 'gpu';
  /** Version of tfjs-node, or of tfjs where the backend is not native. */
  version: string;
  /** Version of libtensorflow behind a native backend. */
  library?: string;
}

/** A backend as lineage names it: artifacts made by different ones are not taken for each other. */
export const backendText = ({ name, version, library, device }: BackendInfo): string =>
  [`${name} ${library ?? version}`, device, process.arch].join(' ');

/** The two parts of the native backend that are not in its public types. */
interface NativeBackend {
  isUsingGpuDevice: boolean;
  binding: { TF_Version: string };
}

const startNative = async (wish: Environment['tensorflow']): Promise<BackendInfo> => {
  // Errors still show; the notices about instruction sets and missing GPUs do not.
  defaultVariable('TF_CPP_MIN_LOG_LEVEL', '2');
  // Not all of the card's memory at the start: doctor, tests and a worker may share it.
  defaultVariable('TF_FORCE_GPU_ALLOW_GROWTH', 'true');
  if (wish === 'cpu') defaultVariable('CUDA_VISIBLE_DEVICES', '-1');
  const quiet = quietLogPath();
  if (quiet) createRequire(import.meta.url)(quiet);
  // tfjs-node 4.22 calls functions that Node 22 warns about and Node 23 removed.
  const isNullOrUndefined = (value: unknown) => value === null || value === undefined;
  Object.assign(util, { isNullOrUndefined, isArray: Array.isArray });
  const native = await import('@tensorflow/tfjs-node');
  await native.ready();
  const { isUsingGpuDevice, binding } = native.backend() as unknown as NativeBackend;
  return {
    name: 'tensorflow',
    device: isUsingGpuDevice ? 'gpu' : 'cpu',
    version: native.version['tfjs-node'] ?? '',
    library: binding.TF_Version,
  };
};

const scripted = async (): Promise<BackendInfo> => ({
  name: await startScripted(),
  device: 'cpu',
  version: tf.version.tfjs,
});

const start = async (wish: Environment['tensorflow'], warn: (text: string) => void): Promise<BackendInfo> => {
  if (wish === 'js') return scripted();
  let native: BackendInfo;
  try {
    native = await startNative(wish);
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.trim().split('\n')[0] ?? '') : String(cause);
    if (wish !== 'auto')
      throw new StageError(
        'BackendUnavailable',
        `UNDERSTUDY_TF=${wish} asks for native TensorFlow, which does not load (${why}): ` +
          `run \`UNDERSTUDY_TF=${wish} npx understudy bootstrap\``,
        { cause },
      );
    const info = await scripted();
    warn(
      `WARNING: native TensorFlow does not load (${why}). Computing with ${info.name} instead, ` +
        'many times slower: fit for small work only. `npx understudy bootstrap` provisions the native one.',
    );
    return info;
  }
  if (wish === 'gpu' && native.device !== 'gpu')
    throw new StageError(
      'BackendUnavailable',
      `UNDERSTUDY_TF=gpu asks for a GPU, and TensorFlow ${native.library} found none: check \`nvidia-smi\`, run ` +
        '`UNDERSTUDY_TF=gpu npx understudy bootstrap`, or set UNDERSTUDY_TF=cpu',
    );
  return native;
};

let started: Promise<BackendInfo> | undefined;

/**
 * Puts the backend that UNDERSTUDY_TF asks for behind `@tensorflow/tfjs`; the only place that names the addon.
 * Once per process: later calls give the same answer. Throws BackendUnavailable when `gpu` or `cpu` cannot be had;
 * under `auto` it falls back to WASM or pure JavaScript and says so through `warn`.
 */
export const startBackend = (
  warn: (text: string) => void = (text) => process.stderr.write(`${text}\n`),
): Promise<BackendInfo> => {
  started ??= start(readEnvironment().tensorflow, warn).catch((error: unknown) => {
    started = undefined;
    throw error;
  });
  return started;
};
