import { z } from 'zod';
import { defineStage } from '../stage.ts';

export const generate = defineStage({
  name: 'generate',
  title: 'Sample a synthetic cohort',
  version: 1,
  inputs: { model: 'model', cohort: 'token-cohort' },
  output: 'token-cohort',
  params: z.object({
    patients: z.int().positive().optional().describe('default: as many as the training split has'),
    seed: z.int().nonnegative().default(0),
    batch: z.int().positive().default(256).describe('patients sampled together; does not change the result'),
  }),
  policy: { queue: 'gpu', startToClose: '24h', heartbeat: '2m', attempts: 8 },
});
