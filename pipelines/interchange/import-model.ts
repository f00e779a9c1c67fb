import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { StageError } from '../../schemas/errors.ts';
import { vocabulary as vocabularySchema } from '../../schemas/vocabulary.ts';
import { digestFile } from '../extract/source-folder.ts';
import { learningCurve } from '../learning-curve.ts';
import { type ModelCard, modelCard } from '../model-card.ts';
import { decodeSaved } from '../safetensors.ts';
import { vocabularyDigest } from '../vocabulary-digest.ts';
import { modelFileNames } from './import-checkpoint.ts';

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
  const card = modelCard.safeParse(json('model.json'));
  const words = vocabularySchema.safeParse(json('vocabulary.json'));
  const name = basename(folder);
  if (!card.success || !words.success || !learningCurve.safeParse(json('curve.json')).success)
    throw new StageError(
      'SourceMalformed',
      `${name}: model.json, vocabulary.json or curve.json has another shape than ours`,
    );
  if (vocabularyDigest(words.data) !== card.data.vocabulary)
    throw new StageError(
      'SourceMalformed',
      `${name}: vocabulary.json is not the vocabulary that model.json names`,
    );
  if (card.data.generator !== generator)
    throw new StageError(
      'InvalidConfig',
      `${name} is a model of ${card.data.generator}, and ${generator} can start from its own models only`,
    );
  decodeSaved(files['weights.safetensors']);
  return { card: card.data, files };
};
