import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  scheduleActivity,
  setHandler,
} from '@temporalio/workflow';
import type { Plan, PlanNode } from '../schemas/plan.ts';
import { nodesBefore } from '../schemas/plan-inputs.ts';
import type { RunResult, StageResult } from '../schemas/progress.ts';
import { activityOptions } from './activity-options.ts';
import { status } from './messages.ts';
import { Board, conclude, gatherInputs, type NodeInputs, type Outcome } from './settle.ts';
import { failed, succeeded } from './to-outcome.ts';

/**
 * Runs a plan: every node starts the moment the nodes it reads from have settled. What failed skips only what
 * needs it. Fails with RunFailed, after all else has run, when a required node has no output.
 */
export async function runPlan(plan: Plan): Promise<RunResult> {
  const board = new Board(plan);
  setHandler(status, () => board.list());
  const outcomes = new Map<string, Outcome>();
  const pending = new Map<string, Promise<void>>();

  const perform = async (node: PlanNode, inputs: NodeInputs): Promise<Outcome> => {
    board.start(node.id);
    const task = { node: node.id, params: node.params, inputs };
    try {
      const options = activityOptions(node, plan.nonRetryable);
      return succeeded(await scheduleActivity<StageResult>(node.stage, [task], options));
    } catch (error) {
      return failed(error);
    }
  };
  const settle = async (node: PlanNode): Promise<void> => {
    for (const id of nodesBefore(node)) await pending.get(id);
    const gathered = gatherInputs(node, outcomes);
    const outcome: Outcome =
      'skip' in gathered
        ? { state: 'skipped', failure: gathered.skip }
        : await perform(node, gathered.inputs);
    outcomes.set(node.id, outcome);
    board.settle(node.id, outcome);
  };
  for (const node of plan.nodes) pending.set(node.id, settle(node));
  await Promise.all(pending.values());

  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('the run was canceled');
  const end = conclude(plan, outcomes);
  if ('failure' in end) throw ApplicationFailure.nonRetryable(end.failure, 'RunFailed');
  return end.result;
}
