import type { Logger } from 'pino';
import type { ActivityTools, Bodies } from '../activities/index.ts';
import { type FailureCode, StageError } from '../schemas/errors.ts';
import { backendText, startBackend } from './backend.ts';
import { connectNative } from './connect.ts';
import { createWorker, installRuntime, type Queue, type WorkerParts } from './create-worker.ts';
import { type Environment, readEnvironment } from './env.ts';
import { parseFault, withFault } from './faults.ts';
import { createLog } from './log.ts';
import { createFileStore } from './store/fs.ts';

export interface WorkerOptions {
  queue: Queue;
  environment?: Environment;
  log?: Logger;
  /** Default: the real ones, loaded with the science behind them. */
  bodies?: Bodies;
  /** Called once, when the worker polls. */
  onReady?: () => void;
}

/** Serves until it is stopped, or until an attempt has left this process unfit: throws that failure's code then. */
const serve = async (parts: Omit<WorkerParts, 'onUnfit'>, onReady: () => void): Promise<void> => {
  let unfit: FailureCode | undefined;
  const worker = await createWorker({
    ...parts,
    onUnfit: (code) => {
      if (unfit) return;
      unfit = code;
      worker.shutdown();
    },
  });
  onReady();
  await worker.run();
  if (unfit) throw new StageError(unfit, 'this worker is not fit for more work; start it again');
};

/**
 * Runs a worker until SIGINT or SIGTERM, then lets short work end and long work write its checkpoint.
 * A gpu worker starts the tensor backend first. Throws TemporalUnavailable, BackendUnavailable; DeviceLost or Stalled
 * after an attempt has failed so, for the next one should find a fresh process.
 */
export const runWorker = async (options: WorkerOptions): Promise<void> => {
  const { queue, environment = readEnvironment(), onReady } = options;
  const bodies = options.bodies ?? (await import('../activities/bodies.ts')).bodies;
  const log = options.log ?? createLog(environment.logLevel, { queue, pid: process.pid });
  installRuntime(log);
  const address = { address: environment.temporalAddress, namespace: environment.temporalNamespace };
  const tools: ActivityTools = {
    store: createFileStore(environment.store),
    bodies,
    log,
    ...(queue === 'gpu' && { backend: backendText(await startBackend((warning) => log.warn(warning))) }),
    ...(environment.fault !== undefined && { wrapHost: withFault(parseFault(environment.fault)) }),
  };
  const connection = await connectNative(address);
  try {
    await serve({ queue, connection, namespace: address.namespace, ...tools }, () => {
      log.info({ ...address, store: environment.store, backend: tools.backend }, 'worker ready');
      onReady?.();
    });
  } finally {
    await connection.close();
  }
};
