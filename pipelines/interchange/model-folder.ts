import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StageError } from '../../schemas/errors.ts';
import { type Vocabulary, vocabulary as vocabularySchema } from '../../schemas/vocabulary.ts';
import type { Sampler } from '../generator.ts';
import { type LearningCurve, learningCurve } from '../learning-curve.ts';
import { generatorConfig, generatorNamed, modelCard } from '../model-card.ts';
import { decodeSaved } from '../safetensors.ts';
import { vocabularyDigest } from '../vocabulary-digest.ts';
import { malformed } from './outside-cohort.ts';

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

/** Reads a model artifact. Throws SourceMissing, SourceMalformed, and InvalidConfig on an unknown generator. */
export const readModelFolder = async (folder: string): Promise<ModelFolder> => {
  const card = modelCard.safeParse(await readJson(folder, 'model.json'));
  const words = vocabularySchema.safeParse(await readJson(folder, 'vocabulary.json'));
  const curve = learningCurve.safeParse(await readJson(folder, 'curve.json'));
  if (!card.success || !words.success || !curve.success)
    throw malformed(
      `--model ${folder}: model.json, vocabulary.json or curve.json has another shape than ours`,
    );
  const { generator: name, config, vocabulary } = card.data;
  if (vocabularyDigest(words.data) !== vocabulary)
    throw malformed(`--model ${folder}: vocabulary.json is not the vocabulary that model.json names`);
  const generator = generatorNamed(name);
  return {
    generator: name,
    vocabulary: words.data,
    curve: curve.data,
    open: async () => {
      const saved = decodeSaved(await readFile(join(folder, 'weights.safetensors')));
      return generator.open(saved, generatorConfig(generator, config), words.data);
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
