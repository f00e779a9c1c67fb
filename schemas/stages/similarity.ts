import { metricParams } from '../metric-params.ts';
import { defineStage } from '../stage.ts';

export const similarity = defineStage({
  name: 'similarity',
  title: 'How alike the synthetic and the real training cohort are',
  version: 2,
  inputs: { real: 'token-cohort', synthetic: 'token-cohort' },
  output: 'scorecard',
  params: metricParams,
  policy: { queue: 'cpu', startToClose: '6h', heartbeat: '2m', attempts: 4 },
});
