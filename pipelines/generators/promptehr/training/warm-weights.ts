/**
 * PromptEHR from a model: what both speak is taken, by kind and code, by fact and level; everything else is
 * drawn.
 */

import { StageError } from '../../../../schemas/errors.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import type { FittedModel, TrainingData } from '../../../generation/generator.ts';
import type { NamedArray } from '../../../kernel/checkpointable.ts';
import type { RandomSource } from '../../../kernel/random.ts';
import { gatheredRows } from '../adoption/adopt-rows.ts';
import { promptRows } from '../network/architecture.ts';
import { allWeights, headName, readWeight, type Weight } from '../network/weight-layout.ts';
import { fitFeatures } from '../records/features.ts';
import { interfaceOf, type PromptModel, readPromptModel } from '../records/prompt-model.ts';
import { streamsOf } from '../records/streams.ts';
import { type PromptConfig, type PromptSettings, resolvePrompt } from './config.ts';
import { type RowSources, rowSources } from './row-sources.ts';
import { startedPrompts } from './warm-prompts.ts';

/** A model that training starts from. */
export interface PromptStart {
  model: PromptModel;
  vocabulary: Vocabulary;
  /** In the reference's names and layouts. */
  arrays: Record<string, NamedArray>;
}

export const promptStart = ({ saved, vocabulary }: FittedModel): PromptStart => ({
  model: readPromptModel(saved.json, vocabulary),
  vocabulary,
  arrays: saved.arrays,
});

const invalid = (message: string): StageError => new StageError('InvalidConfig', `promptehr: ${message}`);

const sizes = ['width', 'encoderLayers', 'decoderLayers', 'attentionHeads', 'feed'] as const;

/** The config with the model's sizes where it says none. Throws InvalidConfig where it says others. */
const sizedLike = (config: PromptConfig, { model }: PromptStart): PromptConfig => {
  const { architecture } = model;
  const hasPrompts = promptRows(architecture) > 0;
  for (const key of hasPrompts ? ([...sizes, 'promptHidden'] as const) : sizes)
    if (config[key] !== undefined && config[key] !== architecture[key])
      throw invalid(
        `${key} is ${config[key]} in the config and ${architecture[key]} in the model it is to start from; leave it out`,
      );
  if (config.tied === true && !architecture.tied)
    throw invalid(
      'tied is true in the config, and the model it is to start from has heads of its own; leave it out',
    );
  const { width, encoderLayers, decoderLayers, attentionHeads, feed, promptHidden } = architecture;
  return {
    ...config,
    ...{ width, encoderLayers, decoderLayers, attentionHeads, feed },
    ...(hasPrompts && { promptHidden }),
    tied: config.tied ?? architecture.tied,
  };
};

/**
 * Where the config leaves `start` out: biases if the model has some, or if it was never given how common
 * codes are.
 */
const startOf = (config: PromptConfig, { model }: PromptStart, { taken }: RowSources): PromptConfig => {
  if (config.start !== undefined || (!model.architecture.biased && taken === 0)) return config;
  return { ...config, start: model.architecture.biased ? 'prevalence' : 'random' };
};

/**
 * Settings for a training that starts from a model: its sizes, and contexts of no more tokens than it has
 * positions for. Throws InvalidConfig where the config asks for other sizes or longer contexts.
 */
export const settingsFrom = (
  data: TrainingData,
  config: PromptConfig,
  start: PromptStart,
): PromptSettings => {
  const streams = streamsOf(data.vocabulary);
  const sized = startOf(sizedLike(config, start), start, rowSources(data.vocabulary, start));
  const settings = resolvePrompt(sized, data.train, streams.kinds.length);
  const prompts = promptRows(interfaceOf(streams, fitFeatures(data, settings.prompts)));
  const room = start.model.architecture.positions - prompts;
  if (config.contextTokens !== undefined && config.contextTokens > room)
    throw invalid(
      `contextTokens is ${config.contextTokens} in the config, and the model it is to start from has positions for ` +
        `${room} tokens beside ${prompts} prompts`,
    );
  // What codes have to do with each other stands in the model's rows, not in what a cohort shows before
  // training.
  const begin = settings.start === 'random' ? 'random' : 'prevalence';
  return { ...settings, start: begin, contextTokens: Math.min(settings.contextTokens, room) };
};

const arrayOf = ({ arrays }: PromptStart, name: string): NamedArray => {
  const array = arrays[name];
  if (!array) throw new RangeError(`the weights lack tensor ${name}`);
  return array;
};

/** Addresses of draws for rows of heads' matrices; those of fresh parts are their number. */
const headDraws = 2 ** 16;

/** What a training starts with, and how much of it is the model's. */
export interface Started {
  valuesOf(part: Weight): Float32Array;
  facts: Record<string, number>;
}

/**
 * The numbers of a model for this cohort: the start's where it has them, `fresh` ones elsewhere. New rows of
 * tables of tokens lie around the mean of the start's rows.
 */
export const startedValues = (
  { model, vocabulary }: { model: PromptModel; vocabulary: Vocabulary },
  start: PromptStart,
  random: RandomSource,
  fresh: (part: Weight) => Float32Array,
): Started => {
  const sources = rowSources(vocabulary, start);
  const prompts = startedPrompts({ model, vocabulary }, start);
  const theirs = new Map(allWeights(start.model.architecture).map((part) => [part.name, part]));
  const special = new Map<string, (part: Weight) => Float32Array>();
  const table = 'model.shared.weight';
  special.set(table, () =>
    Float32Array.from(gatheredRows(arrayOf(start, table), sources.rows, random, 0).data, Number),
  );
  for (const [head, { name, tokens }] of model.architecture.heads.entries()) {
    const outputs = sources.outputs[head] as number[];
    const matrix = start.model.architecture.tied ? table : headName(name);
    const rows = start.model.architecture.tied
      ? tokens.map((token) => sources.rows[token] as number)
      : outputs;
    const bias = start.arrays[headName(name, 'bias')]?.data;
    special.set(headName(name), (part) =>
      start.arrays[matrix]
        ? Float32Array.from(gatheredRows(arrayOf(start, matrix), rows, random, headDraws + head).data, Number)
        : fresh(part),
    );
    special.set(headName(name, 'bias'), (part) =>
      fresh(part).map((value, output) => Number(bias?.[outputs[output] ?? -1] ?? value)),
    );
  }
  const valuesOf = (part: Weight): Float32Array => {
    const own = special.get(part.name);
    if (own) return own(part);
    const prompt = prompts.valuesOf(part, fresh);
    if (prompt) return prompt;
    const their = theirs.get(part.name);
    if (!their) return fresh(part);
    const values = readWeight(their, (reference) => start.arrays[reference]);
    // Fewer positions than the start has: its first ones.
    return values.subarray(
      0,
      part.shape.reduce((product, width) => product * width, 1),
    );
  };
  return { valuesOf, facts: { ...sources.facts, ...prompts.facts } };
};
