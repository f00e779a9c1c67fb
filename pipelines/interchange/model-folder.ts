import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StageError } from '../../schemas/errors.ts';
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import type { Sampler } from '../generator.ts';
import { type LearningCurve, learningCurve } from '../learning-curve.ts';
import { generatorConfig, generatorNamed, modelCard, vocabularyDigest } from '../model-card.ts';
import { decodeSaved } from '../safetensors.ts';
import { malformed } from './outside-cohort.ts';

/** A fitted generator from outside a run. */
export interface ModelFolder {
  generator: string;
  /** Digest of the vocabulary it speaks; see `vocabularyDigest`. */
  vocabulary: string;
  curve: LearningCurve;
  open(vocabulary: Vocabulary): Promise<Sampler>;
}

const readJson = async (folder: string, file: string): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(join(folder, file), 'utf8'));
  } catch {
    throw new StageError(
      'SourceMissing',
      `--model ${folder} should be a model artifact: a folder with model.json, curve.json and weights.safetensors; ` +
        `${file} cannot be read there`,
    );
  }
};

/** Reads a model artifact. Throws SourceMissing, SourceMalformed, and InvalidConfig on an unknown generator. */
export const readModelFolder = async (folder: string): Promise<ModelFolder> => {
  const card = modelCard.safeParse(await readJson(folder, 'model.json'));
  const curve = learningCurve.safeParse(await readJson(folder, 'curve.json'));
  if (!card.success || !curve.success)
    throw malformed(
      `--model ${folder}: ${card.success ? 'curve.json' : 'model.json'} has another shape than ours`,
    );
  const { generator: name, config, vocabulary } = card.data;
  const generator = generatorNamed(name);
  return {
    generator: name,
    vocabulary,
    curve: curve.data,
    open: async (words) => {
      const saved = decodeSaved(await readFile(join(folder, 'weights.safetensors')));
      return generator.open(saved, generatorConfig(generator, config), words);
    },
  };
};

/** Throws InvalidConfig unless the model speaks these tokens, code by code and label by label. */
export const checkModelSpeaks = (model: ModelFolder, vocabulary: Vocabulary): void => {
  if (vocabularyDigest(vocabulary) === model.vocabulary) return;
  throw new StageError(
    'InvalidConfig',
    `the model (${model.generator}) speaks another vocabulary than these cohorts (${vocabulary.codes.length} codes, ` +
      `${vocabulary.labels.length} labels): give as --train the token-cohort artifact it was trained on, as --synthetic ` +
      'one without other codes, and leave --modalities as it is there; or leave --model out',
  );
};
