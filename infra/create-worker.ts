import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type NativeConnection, Worker } from '@temporalio/worker';
import { type ActivityTools, createActivities } from '../activities/index.ts';

export type Queue = 'cpu' | 'gpu';

/** The file whose exports are the workflows. */
export const workflowsPath: string = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));

export interface WorkerParts extends ActivityTools {
  queue: Queue;
  connection: NativeConnection;
  namespace: string;
}

/**
 * A worker for one queue, not yet running. `cpu` carries the workflows too and works on two stages at a time;
 * `gpu` on one, as a device has one owner.
 */
export const createWorker = (parts: WorkerParts): Promise<Worker> => {
  const { queue, connection, namespace, ...tools } = parts;
  return Worker.create({
    connection,
    namespace,
    taskQueue: queue,
    identity: `${queue} worker ${process.pid}@${hostname()}`,
    ...(queue === 'cpu' && { workflowsPath }),
    activities: createActivities(tools),
    maxConcurrentActivityTaskExecutions: queue === 'gpu' ? 1 : 2,
    // By default heartbeats are sent so rarely that a progress bar would move once a minute.
    maxHeartbeatThrottleInterval: '1s',
    defaultHeartbeatThrottleInterval: '1s',
    // Short work may end by itself; longer work is canceled then and writes its checkpoint.
    shutdownGraceTime: '2s',
    // A process manager must wait longer than this before it kills: docs/operations.md, "Stopping a worker".
    shutdownForceTime: '110s',
  });
};
