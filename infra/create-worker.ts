import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, type LogEntry, type NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
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

/** Fields that the SDK repeats in every line. */
const noise = new Set(['taskToken', 'isLocal', 'namespace', 'sdkComponent']);

const toldValue = (value: unknown): unknown =>
  value instanceof Error ? { name: value.name, message: value.message } : value;

const toPino = (log: Logger) => {
  const write = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
  return ({ level, message, meta }: LogEntry): void => {
    const kept = Object.entries(meta ?? {})
      .filter(([name]) => !noise.has(name))
      .map(([name, value]) => [name, toldValue(value)]);
    log[write[level]](Object.fromEntries(kept), message);
  };
};

let installed = false;

/** Sends the SDK's log lines, native ones too, through `log`. Only the first call in a process counts. */
export const installRuntime = (log: Logger): void => {
  if (installed) return;
  installed = true;
  const sdkLevel = log.isLevelEnabled('debug') ? 'DEBUG' : 'INFO';
  Runtime.install({
    logger: new DefaultLogger(sdkLevel, toPino(log)),
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
  });
};
