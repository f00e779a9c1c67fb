import type { Duration } from '@temporalio/common';
import { ActivityCancellationType, type ActivityOptions } from '@temporalio/workflow';
import type { Plan, PlanNode } from '../schemas/plan.ts';
import { retryPauseMs } from './settle.ts';

/** A node's policy in Temporal's terms. Its summary is the node id, so the UI shows `train:halo`. */
export const activityOptions = (
  { id, policy }: PlanNode,
  nonRetryable: Plan['nonRetryable'],
): ActivityOptions => ({
  taskQueue: policy.queue,
  startToCloseTimeout: policy.startToClose as Duration,
  heartbeatTimeout: policy.heartbeat as Duration,
  retry: {
    maximumAttempts: policy.attempts,
    nonRetryableErrorTypes: nonRetryable,
    initialInterval: retryPauseMs.first,
    maximumInterval: retryPauseMs.longest,
    backoffCoefficient: 2,
  },
  // A canceled training gets the time to write its last checkpoint.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  // The node id, so that the pending activities of a run show which node a heartbeat belongs to.
  activityId: id,
  summary: id,
});

/** Compiling a plan reads at most the cards of models in the store, so it ends quickly or fails. */
export const compileOptions: ActivityOptions = {
  taskQueue: 'cpu',
  startToCloseTimeout: '1m',
  retry: { maximumAttempts: 4, nonRetryableErrorTypes: ['InvalidConfig'] },
  summary: 'compile',
};
