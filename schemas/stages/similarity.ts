import { metricParams } from '../metric-params.ts';
import { defineStage } from '../stage.ts';

export const similarity = defineStage({
  name: 'similarity',
  title: 'How similar the synthetic cohort is to the real training cohort',
  version: 4,
  inputs: { real: 'token-cohort', synthetic: 'token-cohort', models: ['model'] },
  output: 'scorecard',
  params: metricParams,
  policy: { queue: 'gpu', startToClose: '12h', heartbeat: '2m', attempts: 8 },
});
