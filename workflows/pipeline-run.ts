import { ActivityFailure, ApplicationFailure, scheduleActivity, setHandler } from '@temporalio/workflow';
import type { Plan } from '../schemas/plan.ts';
import type { RunResult } from '../schemas/progress.ts';
import type { RunConfig } from '../schemas/run-config.ts';
import { compileOptions } from './activity-options.ts';
import { status } from './messages.ts';
import { runPlan } from './run-plan.ts';

/** Compiles the plan with the DAG of the worker that takes the run, then runs it. A user or a schedule starts this. */
export async function pipelineRun(config: RunConfig): Promise<RunResult> {
  setHandler(status, () => []);
  return runPlan(await compile(config));
}

/** A config that does not compile fails the run under its own error code, because no node exists yet. */
const compile = async (config: RunConfig): Promise<Plan> => {
  try {
    return await scheduleActivity<Plan>('compilePlan', [config], compileOptions);
  } catch (error) {
    if (!(error instanceof ActivityFailure && error.cause instanceof ApplicationFailure)) throw error;
    throw ApplicationFailure.nonRetryable(error.cause.message, error.cause.type);
  }
};
