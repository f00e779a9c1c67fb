/**
 * The workflows, by the names that runs are started under. `regenerate` is the first name of `pipelineRun`: histories
 * recorded under it replay only while a workflow of that name exists.
 */
export { pipelineRun, pipelineRun as regenerate } from './pipeline-run.ts';
export { runPlan } from './run-plan.ts';
