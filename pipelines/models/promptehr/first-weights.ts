import type { TrainingData } from '../../generator.ts';
import { Pace } from '../../nn/pace.ts';
import { RandomSource } from '../../random.ts';
import { startAssociated } from './associated-start.ts';
import type { PromptSettings } from './config.ts';
import { headShares, initialValues, prevalenceBias } from './initial.ts';
import type { PromptModel } from './model.ts';
import { partsOf } from './parts.ts';
import { type PromptStart, startedValues } from './started.ts';

/** The numbers that a training begins with, part by part, and how many of them are those of the model it starts from. */
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
  for (const part of partsOf(model.architecture)) {
    values.set(part.name, valuesOf(part));
    await pace.rest();
  }
  if (!start && settings.start === 'associations') await startAssociated(values, model, train, pace);
  return { values, facts };
};
