import { utility as contract } from '../schemas/stages/utility.ts';
import { metricFiles, scoreFamily } from './score-family.ts';
import { defineBody } from './stage-body.ts';

/** Trains predictors on synthetic and on real patients and tests them on real ones. */
export const utility = defineBody(contract, {
  code: import.meta.url,
  codeOf: (params) => metricFiles('utility', params),
  run: (task, tools) => scoreFamily({ family: 'utility', ...task }, tools),
});
