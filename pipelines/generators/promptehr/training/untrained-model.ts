import type { TrainingData } from '../../../generation/generator.ts';
import { withVisits } from '../../../patients/visit-columns.ts';
import { promptRows } from '../network/architecture.ts';
import { fitFeatures } from '../records/features.ts';
import { fitMarginals } from '../records/marginals.ts';
import { interfaceOf, type PromptModel } from '../records/prompt-model.ts';
import { streamsOf } from '../records/streams.ts';
import type { PromptSettings } from './config.ts';

/** The model but for its weights: all that the training split decides before training. */
export const untrainedModel = (data: TrainingData, settings: PromptSettings): PromptModel => {
  const streams = streamsOf(data.vocabulary);
  const features = fitFeatures(data, settings.prompts);
  const { width, encoderLayers, decoderLayers, attentionHeads, feed, promptHidden, tied } = settings;
  const { contextTokens, order } = settings;
  const sides = interfaceOf(streams, features);
  return {
    architecture: {
      ...{ width, encoderLayers, decoderLayers, attentionHeads, feed, promptHidden, tied },
      biased: settings.start !== 'random',
      ...sides,
      positions: contextTokens + promptRows(sides),
    },
    streams,
    features,
    marginals: fitMarginals(data.train, withVisits(data.train), features, data.vocabulary.labels.length),
    settings: { contextTokens, order },
  };
};
