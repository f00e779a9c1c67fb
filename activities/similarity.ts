import { similarity as contract } from '../schemas/stages/similarity.ts';
import { metricFiles, scoreFamily } from './score-family.ts';
import { defineBody } from './stage-body.ts';

/** Compares a synthetic cohort with the real training split. */
export const similarity = defineBody(contract, {
  code: import.meta.url,
  codeOf: (params) => metricFiles('similarity', params),
  run: (task, tools) => scoreFamily({ family: 'similarity', ...task }, tools),
});
