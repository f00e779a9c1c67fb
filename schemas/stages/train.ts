import { z } from 'zod';
import { defineStage } from '../stage.ts';

export const train = defineStage({
  name: 'train',
  title: 'Fit one generator to the training split',
  version: 2,
  inputs: { cohort: 'token-cohort' },
  output: 'model',
  params: z.object({
    generator: z.string().describe('a name from `understudy models`'),
    config: z.record(z.string(), z.json()).default({}).describe("checked by the generator's own schema"),
    seed: z.int().nonnegative().default(0),
    checkpointEvery: z.number().min(0).default(60).describe('seconds between checkpoints'),
  }),
  incidental: ['checkpointEvery'],
  policy: { queue: 'gpu', startToClose: '72h', heartbeat: '2m', attempts: 8 },
});
