export { regenerate } from './regenerate.ts';
export { runPlan } from './run-plan.ts';
