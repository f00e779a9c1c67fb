import { metricParams } from '../metric-params.ts';
import { defineStage } from '../stage.ts';

export const similarity = defineStage({
  name: 'similarity',
  title: 'How alike the synthetic and the real training cohort are',
  version: 4,
  inputs: { real: 'token-cohort', synthetic: 'token-cohort', models: ['model'] },
  output: 'scorecard',
  params: metricParams,
  policy: { queue: 'gpu', startToClose: '12h', heartbeat: '2m', attempts: 8 },
});
