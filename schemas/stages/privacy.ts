import { metricParams } from '../metric-params.ts';
import { defineStage } from '../stage.ts';

export const privacy = defineStage({
  name: 'privacy',
  title: 'What the synthetic cohort reveals about the training patients',
  version: 2,
  inputs: { real: 'token-cohort', synthetic: 'token-cohort', models: ['model'] },
  output: 'scorecard',
  params: metricParams,
  policy: { queue: 'gpu', startToClose: '12h', heartbeat: '2m', attempts: 8 },
});
