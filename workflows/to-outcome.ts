import { ActivityFailure, ApplicationFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import { canceled, type Failure, type Outcome } from './settle.ts';

const toFailure = ({ cause, message }: ActivityFailure): Failure => {
  if (cause instanceof ApplicationFailure) return { code: cause.type ?? 'Unknown', message: cause.message };
  if (cause instanceof TimeoutFailure) return { code: 'Timeout', message: cause.message };
  return { code: 'Unknown', message: cause?.message ?? message };
};

/** What an activity's error means for its node. Rethrows what no activity can throw: that is a bug of ours. */
export const failed = (error: unknown): Outcome => {
  if (isCancellation(error)) return canceled;
  if (error instanceof ActivityFailure) return { state: 'failed', failure: toFailure(error) };
  throw error;
};
