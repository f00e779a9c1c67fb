import { privacy as contract } from '../schemas/stages/privacy.ts';
import { metricFiles, scoreFamily } from './score-family.ts';
import { defineBody } from './stage-body.ts';

/** Attacks the synthetic cohort to learn which patients it was trained on, and what codes they have. */
export const privacy = defineBody(contract, {
  code: import.meta.url,
  codeOf: (params) => metricFiles('privacy', params),
  run: (task, tools) => scoreFamily({ family: 'privacy', ...task }, tools),
});
