import { z } from 'zod';
import { modality } from '../ehr.ts';
import { defineStage } from '../stage.ts';
import { tokenOrder } from '../vocabulary.ts';

const fraction = z.number().min(0).max(0.2);

export const tokenize = defineStage({
  name: 'tokenize',
  title: 'Codes to tokens, vocabulary from the training split',
  version: 2,
  inputs: { cohort: 'cohort' },
  output: 'token-cohort',
  params: z.object({
    modalities: z.array(modality).min(1).default(['dx', 'px', 'rx']),
    minCount: z.int().positive().default(1).describe('training visits a code must occur in to get a token'),
    unknown: z
      .enum(['drop', 'token'])
      .default('drop')
      .describe('codes outside the vocabulary: dropped and counted, or one unknown token per modality'),
    order: tokenOrder.default('frequency').describe('order of the tokens; recorded in the vocabulary'),
    labs: z
      .enum(['presence', 'buckets'])
      .default('presence')
      .describe(
        'what the token of a lab test means: that it was done (presence), or the range that its value is in (buckets)',
      ),
    rollUp: z
      .strictObject({
        dx: z
          .literal('3-digit')
          .optional()
          .describe('ICD-9-CM diagnoses as their categories: 4280 as 428, V5861 as V58, E8497 as E849'),
        px: z.literal('2-digit').optional().describe('ICD-9-CM procedures as their categories: 3961 as 39'),
      })
      .optional()
      .describe('a vocabulary of fewer, coarser codes; labels stay those of the full codes'),
    gaps: z
      .boolean()
      .default(false)
      .describe('one more token per visit after the first: the range of the days since the last admission'),
    buckets: z
      .strictObject({
        count: z.int().min(2).max(100).default(10).describe('ranges per lab test, and of the gaps, at most'),
        leastPatients: z
          .int()
          .positive()
          .default(11)
          .describe('least number of training patients per range; tests with fewer have one token: done'),
        trim: fraction.default(0.01).describe('share of the values at either end that count as outliers'),
      })
      .prefault({})
      .describe('ranges are quantiles of the training split; a range also holds `minCount` training visits'),
    seed: z.int().nonnegative().default(0).describe('of the random order'),
  }),
  policy: { queue: 'cpu', startToClose: '1h', heartbeat: '2m', attempts: 4 },
});
