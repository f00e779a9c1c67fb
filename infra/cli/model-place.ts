import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { modelFileNames } from '../../pipelines/generation/model-file.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { StageError } from '../../schemas/errors.ts';
import { modelDigest } from '../../schemas/stored-model.ts';
import { readEnvironment } from '../env.ts';
import { createFileStore } from '../store/fs.ts';

/**
 * The one model of a store whose digest begins so. Throws ArtifactMissing and InvalidConfig (there are
 * several).
 */
const findModel = async (digits: string, store: string): Promise<ArtifactRef<'model'>> => {
  const [found, ...others] = await createFileStore(store).find('model', digits);
  if (!found)
    throw new StageError(
      'ArtifactMissing',
      `no model ${digits}${digits.length < 64 ? '…' : ''} in the store ${store}; UNDERSTUDY_STORE says which store is ` +
        'looked in, and the runs that made its models print their digests',
    );
  if (others.length === 0) return found;
  const named = [found, ...others].slice(0, 4).map(({ digest }) => digest.slice(0, digits.length + 6));
  throw new StageError(
    'InvalidConfig',
    `model:${digits} begins the digests of ${others.length + 1} models in the store ${store} (${named.join(', ')}${others.length > 3 ? ', …' : ''}): ` +
      'give more digits',
  );
};

/**
 * The folder of a model: the one that is named, or for `model:DIGEST` that of the store, its bytes checked
 * against the manifest. Throws ArtifactMissing, ArtifactCorrupt, and InvalidConfig where the digest fits no
 * model or several.
 */
export const modelPlace = async (named: string): Promise<string> => {
  const digits = modelDigest(named);
  if (digits === undefined) return named;
  const { store } = readEnvironment();
  const artifact = await createFileStore(store).open(await findModel(digits, store));
  const paths = await Promise.all(modelFileNames.map((file) => artifact.path(file)));
  const [folder, ...others] = new Set(paths.map((path) => dirname(path)));
  if (folder === undefined || others.length > 0)
    throw new StageError(
      'ArtifactCorrupt',
      `model ${artifact.ref.digest.slice(0, 12)} does not lie in one folder`,
    );
  return folder;
};

/**
 * A model as a run config for workers names it, who may have the store at another path: `model:` and the
 * whole digest, or the absolute path of a folder; `base` is where relative ones begin. Where this machine has
 * no store, a whole digest is left to the workers to look for. Throws as `modelPlace` does.
 */
export const modelForWorkers = async (named: string, base: string, store?: string): Promise<string> => {
  const digits = modelDigest(named);
  if (digits === undefined) return resolve(base, named);
  const place = store ?? readEnvironment().store;
  if (digits.length === 64 && !existsSync(place)) return `model:${digits}`;
  return `model:${(await findModel(digits, place)).digest}`;
};
