import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Queue } from '../../infra/create-worker.ts';
import { type GuardedProcess, startGuarded } from '../../infra/guarded-process.ts';

const main = fileURLToPath(new URL('./worker-main.ts', import.meta.url));
const repository = fileURLToPath(new URL('../../', import.meta.url));

export interface WorkerProcessOptions {
  queue: Queue;
  bodies: 'toy' | 'real';
  address: string;
  store: string;
  /** Gets the log. */
  folder: string;
  /** `kill:<stage>:<n>` */
  fault?: string;
}

/** A worker in a process of its own, to be killed. It ends with the test at the latest. */
export const startWorkerProcess = (options: WorkerProcessOptions): Promise<GuardedProcess> => {
  const { queue, bodies, address, store, folder, fault } = options;
  return startGuarded([process.execPath, main, queue, bodies], {
    logFile: join(folder, `${queue}-worker.log`),
    cwd: repository,
    env: {
      ...process.env,
      UNDERSTUDY_TEMPORAL_ADDRESS: address,
      UNDERSTUDY_STORE: store,
      UNDERSTUDY_FAULT: fault,
    },
  });
};
