import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { StageError } from '../../../schemas/errors.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import {
  type Model,
  type ModelCard,
  type ModelFiles,
  type ModelSource,
  modelFileNames,
  readModel,
} from '../../generation/model-file.ts';
import { generatorNamed } from '../../generators/registry.ts';
import { digestFile } from '../../sources/source-folder.ts';

const missing = (folder: string, file: string, cause: unknown): StageError =>
  new StageError(
    'SourceMissing',
    `${folder} should be the folder of a model (${modelFileNames.join(', ')}), as \`understudy import\` or a training ` +
      `makes it; ${file} cannot be read there`,
    { cause },
  );

/** A folder with the files of a model. Reading throws SourceMissing where a file is not there. */
const modelFolder = (folder: string): ModelSource => {
  const bytes = (file: string) =>
    readFile(join(folder, file)).catch((cause) => {
      throw missing(folder, file, cause);
    });
  return {
    bytes,
    json: async (file) => {
      const text = new TextDecoder().decode(await bytes(file));
      try {
        return JSON.parse(text);
      } catch {
        // What is no JSON has no shape of ours either: its reader refuses it.
        return undefined;
      }
    },
  };
};

/** Reads a model from a folder. Throws SourceMissing, SourceMalformed, and InvalidConfig on an unknown generator. */
export const readModelFolder = async (folder: string): Promise<Model> => {
  const model = await readModel(modelFolder(folder), folder);
  generatorNamed(model.card.generator);
  return model;
};

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

/**
 * Reads a model folder whole, byte for byte, and checks that it is a model of that generator. Throws SourceMissing,
 * SourceMalformed, ArtifactCorrupt (its weights are no safetensors file), and InvalidConfig for a model of another
 * generator.
 */
export const readImportedModel = async (
  folder: string,
  generator: string,
): Promise<{ card: ModelCard; files: ModelFiles }> => {
  const source = modelFolder(folder);
  const name = basename(folder);
  const { card, weights } = await readModel(source, name);
  if (card.generator !== generator)
    throw new StageError(
      'InvalidConfig',
      `${name} is a model of ${card.generator}, and ${generator} can start from its own models only`,
    );
  await weights();
  const files = await Promise.all(
    modelFileNames.map(async (file) => [file, await source.bytes(file)] as const),
  );
  return { card, files: Object.fromEntries(files) as ModelFiles };
};

/**
 * Throws InvalidConfig unless the vocabulary that cohorts were aligned to, the model's first, is the model's alone:
 * a model has no probability for a code that is not in its vocabulary.
 */
export const checkModelCodes = (model: Model, vocabulary: Vocabulary): void => {
  const [own, all] = [model.vocabulary, vocabulary];
  const { generator } = model.card;
  const extra = all.codes.length - own.codes.length;
  if (extra > 0)
    throw new StageError(
      'InvalidConfig',
      `the model (${generator}) knows ${own.codes.length} codes, and these cohorts have ${extra} more: give the token ` +
        'cohorts of its run as --train, --test and --synthetic, or leave --model out',
    );
  if (all.labels.length !== own.labels.length)
    throw new StageError(
      'InvalidConfig',
      `the model (${generator}) knows ${own.labels.length} labels, these cohorts have ${all.labels.length}`,
    );
};
