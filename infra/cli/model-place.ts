import { dirname } from 'node:path';
import { modelFileNames } from '../../pipelines/exchange/models/model-files.ts';
import { StageError } from '../../schemas/errors.ts';
import { readEnvironment } from '../env.ts';
import { createFileStore } from '../store/fs.ts';

const reference = /^(?:model:)?([0-9a-f]{64})$/;

/**
 * The folder of a model: the one that is named, or for `model:<digest>` that of the store, its bytes checked against
 * the manifest. Throws ArtifactMissing and ArtifactCorrupt.
 */
export const modelPlace = async (named: string): Promise<string> => {
  const digest = reference.exec(named)?.[1];
  if (digest === undefined) return named;
  const artifact = await createFileStore(readEnvironment().store).open({ kind: 'model', digest });
  const paths = await Promise.all(modelFileNames.map((file) => artifact.path(file)));
  const [folder, ...others] = new Set(paths.map((path) => dirname(path)));
  if (folder === undefined || others.length > 0)
    throw new StageError('ArtifactCorrupt', `model ${digest.slice(0, 12)} does not lie in one folder`);
  return folder;
};
