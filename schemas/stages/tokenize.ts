import { z } from 'zod';
import { modality } from '../ehr.ts';
import { defineStage } from '../stage.ts';

export const tokenize = defineStage({
  name: 'tokenize',
  title: 'Codes to tokens, vocabulary from the training split',
  version: 1,
  inputs: { cohort: 'cohort' },
  output: 'token-cohort',
  params: z.object({
    modalities: z.array(modality).min(1).default(['dx', 'px', 'rx']),
    minCount: z.int().positive().default(1).describe('training visits a code must occur in to get a token'),
    unknown: z
      .enum(['drop', 'token'])
      .default('drop')
      .describe('codes outside the vocabulary: dropped and counted, or one unknown token per modality'),
    order: z
      .enum(['frequency', 'alphabetical', 'random'])
      .default('frequency')
      .describe('order of the tokens'),
    seed: z.int().nonnegative().default(0).describe('of the random order'),
  }),
  policy: { queue: 'cpu', startToClose: '1h', heartbeat: '2m', attempts: 4 },
});
