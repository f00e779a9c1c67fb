import { z } from 'zod';
import { defineStage } from '../stage.ts';

/** Whether real patients are the seeds of synthetic ones. */
export const seedModes = ['cold', 'warm'] as const;

export const generate = defineStage({
  name: 'generate',
  title: 'Sample a synthetic cohort',
  version: 3,
  inputs: { model: 'model', cohort: 'token-cohort' },
  output: 'token-cohort',
  params: z.object({
    patients: z.int().positive().optional().describe('default: as many as the training split has'),
    seed: z.int().nonnegative().default(0).describe('of the sampling'),
    seedMode: z
      .enum(seedModes)
      .default('cold')
      .describe(
        'cold: patients sampled from the model alone; warm: built around real training patients, for comparison only',
      ),
    labels: z
      .record(z.string(), z.union([z.literal(0), z.literal(1)]))
      .default({})
      .describe('labels that every patient must have (1) or must not have (0); the others are sampled'),
    demographics: z
      .record(z.string(), z.union([z.string(), z.number()]))
      .default({})
      .describe('demographics that every patient must have, such as `sex: F`; the others are sampled'),
    drawing: z
      .record(z.string(), z.json())
      .default({})
      .describe('how to sample: settings of the generator, see `understudy models NAME`'),
    rules: z
      .enum(['off', 'remove'])
      .default('off')
      .describe(
        "remove: removes codes that contradict a patient's sex or age, and counts them; ICD-9-CM only",
      ),
    batch: z
      .int()
      .positive()
      .optional()
      .describe(
        'patients between two checkpoints, rounded up to blocks that the generator samples together; default: one block',
      ),
  }),
  policy: { queue: 'gpu', startToClose: '24h', heartbeat: '2m', attempts: 8 },
});
