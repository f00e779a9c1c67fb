import { z } from 'zod';
import { suppressBelow } from '../metric-params.ts';
import { defineStage } from '../stage.ts';

export const report = defineStage({
  name: 'report',
  title: 'Scorecards to one HTML page',
  version: 3,
  inputs: {
    real: 'token-cohort',
    models: ['model'],
    synthetic: ['token-cohort'],
    cards: ['scorecard'],
  },
  output: 'report',
  params: z.object({
    title: z.string().default('Understudy report').describe('heading of the page'),
    suppressBelow,
  }),
  policy: { queue: 'cpu', startToClose: '1h', heartbeat: '2m', attempts: 4 },
});
