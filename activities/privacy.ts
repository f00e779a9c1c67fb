import { privacy as contract } from '../schemas/stages/privacy.ts';
import { metricFiles, scoreFamily } from './score-family.ts';
import { defineBody } from './stage-body.ts';

/** Attacks the synthetic cohort as someone would who wants to learn who was trained on, and what of them. */
export const privacy = defineBody(contract, {
  code: import.meta.url,
  codeOf: (params) => metricFiles('privacy', params),
  run: (task, tools) => scoreFamily({ family: 'privacy', ...task }, tools),
});
