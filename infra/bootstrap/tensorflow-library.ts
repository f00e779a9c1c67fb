import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StageError } from '../../schemas/errors.ts';
import { type FetchContext, fetchWheels, type WheelWanted } from './fetch-wheels.ts';
import { publish } from './publish.ts';
import { extraRequirements } from './requirements.ts';
import { platform, versions } from './versions.ts';
import { unzip } from './zip.ts';

/** Which build of libtensorflow: `gpu` computes on the CPU too where it finds no device. */
export type Variant = 'cpu' | 'gpu';

const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
const HEADERS = ['tensorflow/c', 'tensorflow/core/platform', 'tsl', 'xla/tsl', 'absl'];

/** Where libtensorflow and its headers are kept; laid out as pip would, so that CUDA libraries find one another. */
export const libraryHome = (cache: string, variant: Variant): string =>
  join(cache, 'tensorflow', `${variant}-${versions.tensorflow.version}-${platform}`);

const ofTensorFlow = (name: string): boolean =>
  LIBRARIES.some((library) => name === `tensorflow/${library}`) ||
  HEADERS.some((folder) => name.startsWith(`tensorflow/include/${folder}/`)) ||
  name.endsWith('.dist-info/METADATA');

const ofCuda = (name: string): boolean =>
  name.startsWith('nvidia/') && !name.includes('/include/') && !/\.(py|a)$/.test(name);

/** The wheel of a variant for this platform; throws BackendUnavailable where TensorFlow publishes none. */
export const tensorflowWheel = (variant: Variant, where: string = platform): WheelWanted => {
  const wheel = versions.tensorflow.wheels[`${variant}-${where}`];
  if (!wheel)
    throw new StageError(
      'BackendUnavailable',
      `there is no ${variant} build of TensorFlow ${versions.tensorflow.version} for ${where}: ` +
        'use Linux on x64 (or arm64 for cpu), or set UNDERSTUDY_TF=js for small work',
    );
  return { ...wheel, specifier: `==${versions.tensorflow.version}` };
};

/** The CUDA wheels that a TensorFlow wheel's `and-cuda` extra names. */
export const cudaWheels = (metadata: string): WheelWanted[] => {
  const wanted = extraRequirements(metadata, 'and-cuda');
  if (wanted.length === 0)
    throw new StageError(
      'BackendUnavailable',
      'the TensorFlow wheel names no CUDA wheels in its and-cuda extra',
    );
  return wanted;
};

const unpackEach = async (
  wanted: readonly WheelWanted[],
  draft: string,
  keep: (name: string) => boolean,
  context: FetchContext,
): Promise<string[]> => {
  const folder = join(draft, 'wheels');
  await mkdir(folder);
  const unpacked: string[] = [];
  for (const wheel of await fetchWheels(wanted, folder, context)) {
    context.say(`  unpacking ${wheel.slice(folder.length + 1)}`);
    unpacked.push(...(await unzip(wheel, draft, keep)));
  }
  await rm(folder, { recursive: true });
  return unpacked;
};

/** Puts libtensorflow of one variant into the cache unless it is there. Gives back its home. */
export const ensureLibrary = (variant: Variant, context: FetchContext): Promise<string> =>
  publish(libraryHome(context.environment.cache, variant), async (draft) => {
    const unpacked = await unpackEach([tensorflowWheel(variant)], draft, ofTensorFlow, context);
    for (const library of LIBRARIES)
      if (!existsSync(join(draft, 'tensorflow', library))) throw new Error(`the wheel has no ${library}`);
    if (variant === 'cpu') return;
    const metadata = unpacked.find((name) => name.endsWith('METADATA')) ?? '';
    const cuda = cudaWheels(await readFile(join(draft, metadata), 'utf8'));
    await unpackEach(cuda, draft, ofCuda, context);
  });
