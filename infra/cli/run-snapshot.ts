import {
  type Client,
  type WorkflowExecutionDescription,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { decodeFromPayloadsAtIndex } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import { nodeStatus, progress } from '../../schemas/progress.ts';
import { unserved } from './pollers.ts';
import type { NodeView, RunSnapshot, RunState } from './run-view.ts';

const states: Partial<Record<WorkflowExecutionDescription['status']['name'], RunState>> = {
  RUNNING: 'running',
  COMPLETED: 'completed',
  FAILED: 'failed',
  CANCELLED: 'canceled',
  TERMINATED: 'terminated',
  TIMED_OUT: 'timed-out',
};

/** A cpu worker answers the query; one that is not there should not keep us long. */
const queryPatienceMs = 5000;

/** Missing workers are not reported before this: they may just be starting. */
const settledSeconds = 15;

type Pending = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

const toMs = (time: Pending['lastHeartbeatTime']): number =>
  Number(time?.seconds ?? 0) * 1000 + (time?.nanos ?? 0) / 1e6;

const beatOf = async (client: Client, pending: Pending): Promise<NodeView['beat']> => {
  const payloads = pending.heartbeatDetails?.payloads;
  if (!payloads?.length) return undefined;
  const { loadedDataConverter } = client.options;
  const parsed = progress.safeParse(await decodeFromPayloadsAtIndex(loadedDataConverter, 0, payloads));
  return parsed.success ? { at: toMs(pending.lastHeartbeatTime), progress: parsed.data } : undefined;
};

const withPending = async (client: Client, node: NodeView, pending: Pending): Promise<NodeView> => {
  const beat = await beatOf(client, pending);
  const lastFailure = pending.lastFailure?.message?.split('\n')[0];
  return {
    ...node,
    attempt: pending.attempt ?? 1,
    startedAt: pending.lastStartedTime ? toMs(pending.lastStartedTime) : undefined,
    // 1 is SCHEDULED: no worker has it yet.
    unclaimed: pending.state === 1,
    ...(beat && { beat }),
    ...(lastFailure && { lastFailure }),
  };
};

const askNodes = async (client: Client, run: string): Promise<NodeView[] | undefined> => {
  const handle = client.workflow.getHandle(run);
  const ask = () => handle.query<unknown>('status');
  try {
    return z.array(nodeStatus).parse(await client.withDeadline(Date.now() + queryPatienceMs, ask));
  } catch (error) {
    if (error instanceof z.ZodError) throw error;
    return undefined;
  }
};

const failureOf = async (client: Client, run: string): Promise<{ code: string; message: string }> => {
  const ended = client.workflow.getHandle(run).result();
  const error: unknown = await ended.then(
    () => undefined,
    (thrown) => thrown,
  );
  const cause = error instanceof WorkflowFailedError ? error.cause : error;
  if (cause instanceof ApplicationFailure) return { code: cause.type ?? 'RunFailed', message: cause.message };
  return { code: 'RunFailed', message: cause instanceof Error ? cause.message : 'the run failed' };
};

const describe = async (client: Client, run: string): Promise<WorkflowExecutionDescription> => {
  try {
    return await client.workflow.getHandle(run).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError)
      throw new StageError('RunMissing', `the server knows no run ${run}`, { cause: error });
    throw error;
  }
};

/**
 * Queues that nodes wait for in vain. One whose worker is busy with this very run is served: it asks for no
 * more.
 */
export const waitedFor = (nodes: readonly NodeView[]): string[] => {
  const running = nodes.filter(({ state }) => state === 'running');
  const busy = new Set(running.filter(({ unclaimed }) => !unclaimed).map(({ queue }) => queue));
  const idle = running.filter(({ unclaimed, queue }) => unclaimed && !busy.has(queue));
  return [...new Set(idle.map(({ queue }) => queue))];
};

/** What is in the way, if anything is; workers are given time to start first. */
const noteOn = async (client: Client, nodes: NodeView[], seconds: number): Promise<string | undefined> => {
  if (seconds < settledSeconds) return undefined;
  const missing = await unserved(client, nodes.length === 0 ? ['cpu'] : waitedFor(nodes));
  if (missing.length > 0)
    return missing
      .map(
        (queue) =>
          `no worker asks for work of queue ${queue}; unless all are busy with other runs, start one: ` +
          `\`understudy worker --queue ${queue}\``,
      )
      .join('; ');
  return nodes.length === 0 ? 'the nodes are not known yet' : undefined;
};

/**
 * What a run is at right now: its nodes by the status query, their progress by heartbeats. Throws RunMissing.
 */
export const readSnapshot = async (client: Client, run: string): Promise<RunSnapshot> => {
  const { status, startTime, closeTime, raw } = await describe(client, run);
  const state = states[status.name] ?? 'running';
  const asked = (await askNodes(client, run)) ?? [];
  const pending = new Map((raw.pendingActivities ?? []).map((activity) => [activity.activityId, activity]));
  const nodes = await Promise.all(
    asked.map((node) => {
      const activity = node.state === 'running' ? pending.get(node.id) : undefined;
      return activity ? withPending(client, node, activity) : node;
    }),
  );
  const seconds = Math.max(0, ((closeTime?.getTime() ?? Date.now()) - startTime.getTime()) / 1000);
  const note = await noteOn(client, nodes, state === 'running' ? seconds : settledSeconds);
  return {
    run,
    state,
    started: startTime.toISOString(),
    seconds,
    nodes,
    ...(state === 'failed' && { failure: await failureOf(client, run) }),
    ...(note && { note }),
  };
};

/** A run in a list: its state without its nodes. */
export type RunLine = Pick<RunSnapshot, 'run' | 'state' | 'started' | 'seconds'>;

/** The newest runs of a server, under the present name of the workflow and its first one. */
export const listRuns = async (client: Client, limit: number): Promise<RunLine[]> => {
  const lines: RunLine[] = [];
  const query = "WorkflowType IN ('pipelineRun', 'regenerate')";
  for await (const { workflowId, status, startTime, closeTime } of client.workflow.list({ query })) {
    lines.push({
      run: workflowId,
      state: states[status.name] ?? 'running',
      started: startTime.toISOString(),
      seconds: Math.max(0, ((closeTime?.getTime() ?? Date.now()) - startTime.getTime()) / 1000),
    });
    if (lines.length === limit) break;
  }
  return lines;
};
