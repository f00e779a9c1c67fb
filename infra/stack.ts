import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { StageError } from '../schemas/errors.ts';
import type { Queue } from './create-worker.ts';
import { type GuardedProcess, startGuarded } from './guarded-process.ts';
import { startTemporal, type TemporalServer } from './temporal.ts';

const cli = fileURLToPath(new URL('./cli.ts', import.meta.url));
const queues: readonly Queue[] = ['cpu', 'gpu'];
/** A worker that ends sooner than this would only end again. */
const livedMs = 10_000;

export interface StackOptions {
  /** Gets the server's database, and `logs/` of all. */
  folder: string;
  store: string;
  /** Of server and UI; default: free ones. */
  ports?: { server: number; ui: number };
  say(line: string): void;
}

/** A server and a worker for each queue, as processes of ours. They end when we do, however we do. */
export interface Stack {
  server: TemporalServer;
  logs: string;
  /** Rejects when a part is gone for good. A worker that dies after some time is started again instead. */
  broken: Promise<never>;
  /** Workers first, so that long work writes its checkpoint; then the server. */
  stop(): Promise<void>;
}

interface Keeper {
  ended: Promise<void>;
  stop(): Promise<void>;
}

const workerLog = (logs: string, queue: Queue) => join(logs, `${queue}-worker.log`);

/** Starts a worker, and starts it again when it dies in mid-work, until it is stopped. */
const keepWorker = async (
  queue: Queue,
  logs: string,
  env: NodeJS.ProcessEnv,
  say: (line: string) => void,
): Promise<Keeper> => {
  const logFile = workerLog(logs, queue);
  const start = () => startGuarded([process.execPath, cli, 'worker', '--queue', queue], { logFile, env });
  let stopping = false;
  let current: GuardedProcess = await start();
  const keep = async (): Promise<void> => {
    while (true) {
      const started = performance.now();
      const status = await current.exited;
      if (stopping) return;
      const died = `the ${queue} worker ended with status ${status}`;
      if (performance.now() - started < livedMs)
        throw new StageError('WorkerFailed', `${died}; the end of ${logFile}:\n${await current.logTail()}`);
      say(`${died}; starting it again (${logFile})`);
      await sleep(1000);
      if (stopping) return;
      current = await start();
    }
  };
  return {
    ended: keep(),
    stop: () => {
      stopping = true;
      return current.stop();
    },
  };
};

/** Starts server and workers. Throws TemporalUnavailable; whatever had been started is stopped again. */
export const startStack = async ({ folder, store, ports, say }: StackOptions): Promise<Stack> => {
  const logs = join(folder, 'logs');
  await mkdir(logs, { recursive: true });
  const server = await startTemporal({
    folder: join(folder, 'temporal'),
    ...(ports && { port: ports.server, uiPort: ports.ui }),
  });
  const env = {
    ...process.env,
    UNDERSTUDY_TEMPORAL_ADDRESS: server.address,
    UNDERSTUDY_TEMPORAL_NAMESPACE: 'default',
    UNDERSTUDY_STORE: store,
  };
  const keepers = await Promise.all(queues.map((queue) => keepWorker(queue, logs, env, say)));
  let stopping = false;
  const gone = server.exited.then((status) => {
    if (!stopping)
      throw new StageError(
        'TemporalUnavailable',
        `the server ended with status ${status}, see ${server.logFile}`,
      );
  });
  const forever = new Promise<never>(() => undefined);
  const broken = Promise.race(
    [gone, ...keepers.map(({ ended }) => ended)].map((part) => part.then(() => forever)),
  );
  // It rejects for those who wait for it; without a waiter it must not count as unhandled.
  broken.catch(() => undefined);
  const stop = async (): Promise<void> => {
    stopping = true;
    await Promise.all(keepers.map((keeper) => keeper.stop()));
    await server.stop();
  };
  return { server, logs, broken, stop };
};
