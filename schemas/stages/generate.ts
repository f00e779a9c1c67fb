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
    seed: z.int().nonnegative().default(0),
    seedMode: z
      .enum(seedModes)
      .default('cold')
      .describe(
        'cold: patients drawn from the model alone; warm: built around real training patients, for comparison only',
      ),
    labels: z
      .record(z.string(), z.union([z.literal(0), z.literal(1)]))
      .default({})
      .describe('labels that every patient is to have (1) or not to have (0); the others are drawn'),
    demographics: z
      .record(z.string(), z.union([z.string(), z.number()]))
      .default({})
      .describe('facts that every patient is to have, such as `sex: F`; the others are drawn'),
    drawing: z
      .record(z.string(), z.json())
      .default({})
      .describe("how to draw, in the generator's own words; see `understudy models NAME`"),
    rules: z
      .enum(['off', 'remove'])
      .default('off')
      .describe(
        "remove: takes away codes that contradict a patient's sex or age, and tells how many; ICD-9-CM only",
      ),
    batch: z
      .int()
      .positive()
      .optional()
      .describe(
        'patients between two checkpoints, in whole blocks of those the generator draws together; default: one block',
      ),
  }),
  policy: { queue: 'gpu', startToClose: '24h', heartbeat: '2m', attempts: 8 },
});
