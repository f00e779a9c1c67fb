import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { StageError } from '../../../schemas/errors.ts';
import type { ModelCard } from '../../generation/model-file.ts';
import { decodeSaved } from '../../kernel/safetensors.ts';
import { digestFile } from '../../sources/source-folder.ts';
import { modelFileNames } from './model-files.ts';
import { checkedModel } from './model-folder.ts';

type FileName = (typeof modelFileNames)[number];

const missing = (folder: string, file: string, cause: unknown): StageError =>
  new StageError(
    'SourceMissing',
    `${folder} should be the folder of a model (${modelFileNames.join(', ')}), as \`understudy import\` makes it; ` +
      `${file} cannot be read there`,
    { cause },
  );

/** Digest of the contents of a model folder's files. Throws SourceMissing. */
export const fingerprintModel = async (folder: string): Promise<string> => {
  const hash = createHash('sha256');
  for (const file of modelFileNames) {
    const digest = await digestFile(join(folder, file)).catch((cause) => {
      throw missing(folder, file, cause);
    });
    hash.update(`${file}\n${digest}\n`);
  }
  return hash.digest('hex');
};

/** A model folder's files, byte for byte, and its card. */
export interface ImportedModel {
  card: ModelCard;
  files: Record<FileName, Uint8Array>;
}

/**
 * Reads a model folder whole and checks that it is a model of that generator. Throws SourceMissing, SourceMalformed,
 * ArtifactCorrupt (its weights are no safetensors file), and InvalidConfig for a model of another generator.
 */
export const readImportedModel = async (folder: string, generator: string): Promise<ImportedModel> => {
  const entries = await Promise.all(
    modelFileNames.map(async (file): Promise<[FileName, Uint8Array]> => {
      const bytes = await readFile(join(folder, file)).catch((cause) => {
        throw missing(folder, file, cause);
      });
      return [file, bytes];
    }),
  );
  const files = Object.fromEntries(entries) as ImportedModel['files'];
  const json = (file: FileName): unknown => {
    try {
      return JSON.parse(new TextDecoder().decode(files[file]));
    } catch {
      return undefined;
    }
  };
  const name = basename(folder);
  const { card } = checkedModel(name, {
    card: json('model.json'),
    vocabulary: json('vocabulary.json'),
    curve: json('curve.json'),
  });
  if (card.generator !== generator)
    throw new StageError(
      'InvalidConfig',
      `${name} is a model of ${card.generator}, and ${generator} can start from its own models only`,
    );
  decodeSaved(files['weights.safetensors']);
  return { card, files };
};
