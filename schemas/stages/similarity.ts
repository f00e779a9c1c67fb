import { z } from 'zod';
import { defineStage } from '../stage.ts';

export const similarity = defineStage({
  name: 'similarity',
  title: 'How alike the synthetic and the real training cohort are',
  version: 1,
  inputs: { real: 'token-cohort', synthetic: 'token-cohort' },
  output: 'scorecard',
  params: z.object({
    metrics: z.array(z.string()).optional().describe('names from `understudy metrics`; default: all'),
  }),
  policy: { queue: 'cpu', startToClose: '6h', heartbeat: '2m', attempts: 4 },
});
