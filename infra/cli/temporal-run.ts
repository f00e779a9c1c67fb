import { type Client, ServiceError } from '@temporalio/client';
import type { RunConfig } from '../../schemas/run-config.ts';
import type { pipelineRun } from '../../workflows/index.ts';
import { readEnvironment } from '../env.ts';
import { estimatedReader } from './estimated-run.ts';
import { demandSuccess, type FollowIo, follow } from './follow.ts';
import { type RunResults, showResults } from './run-results.ts';
import { type RunSnapshot, runId } from './run-view.ts';

/** Starts a run on the server of `client`; workers of its queues do the work. Returns the id of the run. */
export const startRun = async (client: Client, config: RunConfig): Promise<string> => {
  const run = runId(config.name, new Date());
  await client.workflow.start<typeof pipelineRun>('pipelineRun', {
    workflowId: run,
    taskQueue: 'cpu',
    args: [config],
  });
  return run;
};

/** A server that restarts is back within seconds; one that is gone should not be waited for all night. */
const patienceMs = 300_000;

/** Reads a run's snapshots, outliving a restart of the server. */
const patientReader = (client: Client, run: string) => {
  const read = estimatedReader(client, run);
  let answered = Date.now();
  let last: RunSnapshot | undefined;
  return async (): Promise<RunSnapshot | undefined> => {
    try {
      last = await read();
      answered = Date.now();
    } catch (error) {
      if (!(error instanceof ServiceError) || Date.now() - answered > patienceMs) throw error;
      if (last) last = { ...last, note: 'the server does not answer; trying again' };
    }
    return last;
  };
};

/**
 * Shows a run until it is over; returns the last snapshot of a run that completed. Throws RunMissing, the
 * run's own failure, an Interruption when the signal is aborted before the end, and the server's error when
 * it stays away for five minutes.
 */
export const followToEnd = async (client: Client, run: string, io: FollowIo): Promise<RunSnapshot> => {
  const snapshot = await follow(patientReader(client, run), io);
  demandSuccess(snapshot);
  return snapshot;
};

/**
 * Follows a run to its end and shows its results, from this machine's store; the report is copied to `out`
 * where that is given. Throws as `followToEnd` does.
 */
export const followRun = async (
  client: Client,
  run: string,
  io: FollowIo,
  out?: string,
): Promise<RunSnapshot & Partial<RunResults>> => {
  const snapshot = await followToEnd(client, run, io);
  const { store } = readEnvironment();
  return { ...snapshot, ...(await showResults(snapshot, { store, out }, io.out)) };
};
