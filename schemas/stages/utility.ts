import { metricParams } from '../metric-params.ts';
import { defineStage } from '../stage.ts';

export const utility = defineStage({
  name: 'utility',
  title: 'How well models trained on synthetic patients work on real ones',
  version: 2,
  inputs: { real: 'token-cohort', synthetic: 'token-cohort', models: ['model'] },
  output: 'scorecard',
  params: metricParams,
  policy: { queue: 'gpu', startToClose: '24h', heartbeat: '2m', attempts: 8 },
});
