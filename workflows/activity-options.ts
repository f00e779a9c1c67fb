import type { Duration } from '@temporalio/common';
import { ActivityCancellationType, type ActivityOptions } from '@temporalio/workflow';
import type { Plan, PlanNode } from '../schemas/plan.ts';

/** A node's policy as Temporal takes it. Its summary is the node id, so the UI shows `train:halo`. */
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
    initialInterval: '1s',
    maximumInterval: '1m',
  },
  // A canceled training is given the time to write its last checkpoint.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  // The node id, so that who asks for a run's pending activities knows whose heartbeats they are.
  activityId: id,
  summary: id,
});

/** Compiling a plan reads code and nothing else: it is quick, or it is wrong. */
export const compileOptions: ActivityOptions = {
  taskQueue: 'cpu',
  startToCloseTimeout: '1m',
  retry: { maximumAttempts: 4, nonRetryableErrorTypes: ['InvalidConfig'] },
  summary: 'compile',
};
