import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  scheduleActivity,
  setHandler,
} from '@temporalio/workflow';
import type { Plan } from '../schemas/plan.ts';
import type { RunResult, StageResult } from '../schemas/progress.ts';
import { activityOptions } from './activity-options.ts';
import { status } from './messages.ts';
import { Board, conclude, settleNodes, succeeded } from './settle.ts';
import { failed } from './to-outcome.ts';

/**
 * Runs a plan: every node starts the moment the nodes it reads from have settled. What failed skips only what
 * needs it. Fails with RunFailed, after all else has run, when a required node has no output.
 */
export async function runPlan(plan: Plan): Promise<RunResult> {
  const board = new Board(plan);
  setHandler(status, () => board.list());
  const outcomes = await settleNodes(plan, board, async (node, inputs) => {
    board.start(node.id);
    const task = { node: node.id, params: node.params, inputs };
    try {
      const options = activityOptions(node, plan.nonRetryable);
      return succeeded(await scheduleActivity<StageResult>(node.stage, [task], options));
    } catch (error) {
      return failed(error);
    }
  });

  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('the run was canceled');
  const end = conclude(plan, outcomes);
  if ('failure' in end) throw ApplicationFailure.nonRetryable(end.failure, 'RunFailed');
  return end.result;
}
