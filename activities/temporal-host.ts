import { Context } from '@temporalio/activity';
import type { Logger } from 'pino';
import type { Progress } from '../schemas/progress.ts';
import type { Host } from './safe-points.ts';

/** Heartbeats closer together than this are dropped: people do not read faster, and each one is serialized. */
const leastGapMs = 200;

/** Passes on the first beat, the last one, and otherwise at most five a second. */
export const thinned = (beat: (progress: Progress) => void): ((progress: Progress) => void) => {
  let sentAt = Number.NEGATIVE_INFINITY;
  return (progress) => {
    const now = performance.now();
    if (progress.step < progress.of && now - sentAt < leastGapMs) return;
    sentAt = now;
    beat(progress);
  };
};

/** The host of the activity that is running now. Call it inside an activity only. */
export const temporalHost = (log: Logger, node: string): Host => {
  const { info, cancellationSignal, heartbeat } = Context.current();
  const { workflowId = '', runId = '' } = info.workflowExecution ?? {};
  return {
    signal: cancellationSignal,
    beat: thinned(heartbeat),
    attempt: info.attempt,
    owner: `${workflowId}/${runId}/${info.activityId}`,
    run: workflowId,
    ...(info.heartbeatTimeoutMs && { heartbeatMs: info.heartbeatTimeoutMs }),
    log: log.child({ run: workflowId, node, attempt: info.attempt }),
  };
};
