import type { TrainingData } from '../../../generation/generator.ts';
import { Pace } from '../../../kernel/pace.ts';
import { RandomSource } from '../../../kernel/random.ts';
import { allWeights } from '../network/weight-layout.ts';
import type { PromptModel } from '../records/prompt-model.ts';
import { startAssociated } from './association-weights.ts';
import type { PromptSettings } from './config.ts';
import { headShares, initialValues, prevalenceBias } from './initial-weights.ts';
import { type PromptStart, startedValues } from './warm-weights.ts';

/**
 * The numbers that a training begins with, part by part, and how many of them are those of the model it
 * starts from.
 */
export const firstWeights = async (
  { train, vocabulary }: TrainingData,
  model: PromptModel,
  settings: Pick<PromptSettings, 'order' | 'start'>,
  seed: number,
  start: PromptStart | undefined,
): Promise<{ values: Map<string, Float32Array>; facts: Record<string, number> }> => {
  const random = new RandomSource(seed, 'weights');
  const biases = prevalenceBias(headShares(model.streams, train), settings.order);
  const drawn = initialValues(model.architecture, random, biases);
  const { valuesOf, facts } = start
    ? startedValues({ model, vocabulary }, start, random, drawn)
    : { valuesOf: drawn, facts: {} };
  const pace = new Pace();
  const values = new Map<string, Float32Array>();
  for (const part of allWeights(model.architecture)) {
    values.set(part.name, valuesOf(part));
    await pace.rest();
  }
  if (!start && settings.start === 'associations') await startAssociated(values, model, train, pace);
  return { values, facts };
};
