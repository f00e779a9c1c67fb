import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StageError } from '../../../schemas/errors.ts';
import { type Vocabulary, vocabulary as vocabularySchema } from '../../../schemas/vocabulary.ts';
import type { Sampler } from '../../generation/generator.ts';
import { generatorConfig } from '../../generation/generator.ts';
import { type LearningCurve, learningCurve } from '../../generation/learning-curve.ts';
import { type ModelCard, modelCard } from '../../generation/model-file.ts';
import { generatorNamed } from '../../generators/registry.ts';
import { decodeSaved } from '../../kernel/safetensors.ts';
import { vocabularyDigest } from '../../patients/vocabulary-digest.ts';
import { malformed } from '../read/outside-cohort.ts';

/** A fitted generator from outside a run. */
export interface ModelFolder {
  generator: string;
  /** What its tokens and labels are. */
  vocabulary: Vocabulary;
  curve: LearningCurve;
  open(): Promise<Sampler>;
}

const readJson = async (folder: string, file: string): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(join(folder, file), 'utf8'));
  } catch {
    throw new StageError(
      'SourceMissing',
      `--model ${folder} should be a model artifact: a folder with model.json, vocabulary.json, curve.json and ` +
        'weights.safetensors; ' +
        `${file} cannot be read there`,
    );
  }
};

/** What a model folder's JSON files say of it. `where`: the folder in messages. Throws SourceMalformed. */
export const checkedModel = (
  where: string,
  found: Record<'card' | 'vocabulary' | 'curve', unknown>,
): { card: ModelCard; vocabulary: Vocabulary; curve: LearningCurve } => {
  const card = modelCard.safeParse(found.card);
  const words = vocabularySchema.safeParse(found.vocabulary);
  const curve = learningCurve.safeParse(found.curve);
  if (!card.success || !words.success || !curve.success)
    throw malformed(`${where}: model.json, vocabulary.json or curve.json has another shape than ours`);
  if (vocabularyDigest(words.data) !== card.data.vocabulary)
    throw malformed(`${where}: vocabulary.json is not the vocabulary that model.json names`);
  return { card: card.data, vocabulary: words.data, curve: curve.data };
};

/** Reads a model artifact. Throws SourceMissing, SourceMalformed, and InvalidConfig on an unknown generator. */
export const readModelFolder = async (folder: string): Promise<ModelFolder> => {
  const { card, vocabulary, curve } = checkedModel(`--model ${folder}`, {
    card: await readJson(folder, 'model.json'),
    vocabulary: await readJson(folder, 'vocabulary.json'),
    curve: await readJson(folder, 'curve.json'),
  });
  const generator = generatorNamed(card.generator);
  return {
    generator: card.generator,
    vocabulary,
    curve,
    open: async () => {
      const saved = decodeSaved(await readFile(join(folder, 'weights.safetensors')));
      return generator.open(saved, generatorConfig(generator, card.config), vocabulary);
    },
  };
};

/**
 * Throws InvalidConfig unless the vocabulary that cohorts were aligned to, the model's first, is the model's alone:
 * of a code that it does not know it cannot tell a probability.
 */
export const checkModelSpeaks = (model: ModelFolder, vocabulary: Vocabulary): void => {
  const [own, all] = [model.vocabulary, vocabulary];
  const extra = all.codes.length - own.codes.length;
  if (extra > 0)
    throw new StageError(
      'InvalidConfig',
      `the model (${model.generator}) knows ${own.codes.length} codes, and these cohorts have ${extra} more: give the token ` +
        'cohorts of its run as --train, --test and --synthetic, or leave --model out',
    );
  if (all.labels.length !== own.labels.length)
    throw new StageError(
      'InvalidConfig',
      `the model (${model.generator}) knows ${own.labels.length} labels, these cohorts tell ${all.labels.length}`,
    );
};
