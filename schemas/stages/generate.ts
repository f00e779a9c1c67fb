import { z } from 'zod';
import { defineStage } from '../stage.ts';

/** Whether real patients are the seeds of synthetic ones. */
export const seedModes = ['cold', 'warm'] as const;

const settings = z.record(z.string(), z.json());

/** Settings of a generator's sampling, under this name or under the one it had before. */
export const samplingFields = {
  sampling: settings
    .optional()
    .describe('how patients are sampled: settings of the generator, see `understudy models NAME`'),
  drawing: settings.optional().describe('old name of `sampling`; only one of the two may be given'),
};

/** Moves what is given under the old name to `sampling`; an issue where both are given. */
export const withSampling = <T extends Partial<Record<'sampling' | 'drawing', z.output<typeof settings>>>>(
  { sampling, drawing, ...rest }: T,
  context: z.RefinementCtx,
) => {
  if (sampling && drawing)
    context.addIssue({
      code: 'custom',
      path: ['drawing'],
      message: 'drawing is the old name of sampling, which is given too: keep sampling alone',
    });
  return { ...rest, sampling: sampling ?? drawing ?? {} };
};

export const generateFields = z.object({
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
  ...samplingFields,
  rules: z
    .enum(['off', 'remove'])
    .default('off')
    .describe("remove: removes codes that contradict a patient's sex or age, and counts them; ICD-9-CM only"),
  batch: z
    .int()
    .positive()
    .optional()
    .describe(
      'patients between two checkpoints, rounded up to blocks that the generator samples together; default: one block',
    ),
});

export const generate = defineStage({
  name: 'generate',
  title: 'Sample a synthetic cohort',
  version: 3,
  inputs: { model: 'model', cohort: 'token-cohort' },
  output: 'token-cohort',
  params: generateFields.transform(withSampling),
  policy: { queue: 'gpu', startToClose: '24h', heartbeat: '2m', attempts: 8 },
});
