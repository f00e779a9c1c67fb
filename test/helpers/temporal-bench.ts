import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { Worker } from '@temporalio/worker';
import type { TestFn } from 'ava';
import type { Bodies } from '../../activities/index.ts';
import { connectClient, connectNative } from '../../infra/connect.ts';
import { createWorker, installRuntime } from '../../infra/create-worker.ts';
import { createLog } from '../../infra/log.ts';
import { startTemporal, type TemporalServer } from '../../infra/temporal.ts';
import type { Store } from '../../schemas/store.ts';

/** A real server with a client, for the tests of one file. */
export interface Bench {
  folder: string;
  /** Replaced by the test that kills and restarts it. */
  server: TemporalServer;
  client: Client;
  /** Runs workers of both queues in this process until the promise settles. */
  during<T>(store: Store, bodies: Bodies, work: () => Promise<T>): Promise<T>;
}

const namespace = 'default';
const log = createLog('fatal');

const startBench = async (): Promise<Bench> => {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-bench-'));
  const server = await startTemporal({ folder: join(folder, 'temporal'), uiPort: false });
  const client = await connectClient({ address: server.address, namespace });
  const during: Bench['during'] = async (store, bodies, work) => {
    // Only here: a runtime that never had a connection keeps the process from ending.
    installRuntime(log);
    const connection = await connectNative({ address: server.address, namespace });
    const parts = { connection, namespace, store, bodies, log, backend: 'toy' };
    const workers: Worker[] = [
      await createWorker({ ...parts, queue: 'cpu' }),
      await createWorker({ ...parts, queue: 'gpu' }),
    ];
    const running = workers.map((worker) => worker.run());
    try {
      return await work();
    } finally {
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
      await connection.close();
    }
  };
  return { folder, server, client, during };
};

/** Gives the tests of a file one server, started before the first and stopped after the last. */
export const withBench = (test: TestFn): (() => Bench) => {
  let bench: Bench | undefined;
  test.before(async () => {
    bench = await startBench();
  });
  test.after.always(async () => {
    await bench?.client.connection.close();
    await bench?.server.stop();
    if (bench) await rm(bench.folder, { recursive: true, force: true });
  });
  return () => {
    if (!bench) throw new Error('the bench is there only inside tests');
    return bench;
  };
};
