import { z } from 'zod';
import { defineStage } from '../stage.ts';

export const report = defineStage({
  name: 'report',
  title: 'Scorecards to one page',
  version: 1,
  inputs: {
    real: 'token-cohort',
    models: ['model'],
    synthetic: ['token-cohort'],
    cards: ['scorecard'],
  },
  output: 'report',
  params: z.object({
    title: z.string().default('Understudy report'),
    suppressBelow: z
      .int()
      .nonnegative()
      .default(11)
      .describe('codes and labels seen in fewer real patients than this are left out of plots and tables'),
  }),
  policy: { queue: 'cpu', startToClose: '1h', heartbeat: '2m', attempts: 4 },
});
