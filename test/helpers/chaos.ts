import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import type { ExecutionContext } from 'ava';
import type { GuardedProcess } from '../../infra/guarded-process.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import { failures } from '../../schemas/errors.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { RunResult } from '../../schemas/progress.ts';
import type { Store } from '../../schemas/store.ts';
import type { runPlan } from '../../workflows/index.ts';
import type { Bench } from './temporal-bench.ts';
import { startWorkerProcess, type WorkerProcessOptions } from './worker-process.ts';

/** Where chaos happens: a server, a client, and a folder for stores and logs. */
export type Ground = Pick<Bench, 'folder' | 'server' | 'client'>;

export type Faults = Partial<Record<'cpu' | 'gpu', string>>;

/** A store of its own with a worker process per queue; one that is killed, or lost its device, is followed by another, without fault. */
export interface Crew {
  store: Store;
  /** How many workers of each queue have been killed, or have ended as not fit for more work. */
  deaths: Record<'cpu' | 'gpu', number>;
  /** SIGTERM to one worker and, once it has ended, another in its place. */
  relieve(queue: 'cpu' | 'gpu'): Promise<void>;
  /** Waits for the work; rejects with the end of the log when a worker ends that nobody killed. */
  during<T>(work: Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/** The test's teardown stops it, if the test did not. */
export const startCrew = async (
  t: Pick<ExecutionContext, 'teardown'>,
  { folder, server }: Ground,
  name: string,
  bodies: WorkerProcessOptions['bodies'],
  faults: Faults = {},
): Promise<Crew> => {
  const home = join(folder, name);
  await mkdir(home, { recursive: true });
  const deaths = { cpu: 0, gpu: 0 };
  const crew = new Map<string, GuardedProcess>();
  const relieved = new Set<GuardedProcess>();
  let stopping = false;
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  const start = async (queue: 'cpu' | 'gpu', fault: string | undefined): Promise<void> => {
    const options = { queue, bodies, address: server.address, store: join(home, 'store'), folder: home };
    const worker = await startWorkerProcess({ ...options, ...(fault !== undefined && { fault }) });
    crew.set(queue, worker);
    void worker.exited.then(async (status) => {
      if (stopping || relieved.has(worker)) return;
      if (status !== 137 && status !== failures.DeviceLost.exit)
        return broken.reject(
          new Error(`the ${queue} worker ended with ${status}:\n${await worker.logTail()}`),
        );
      deaths[queue] += 1;
      await start(queue, undefined);
    }, broken.reject);
  };
  const stop = async (): Promise<void> => {
    stopping = true;
    await Promise.all([...crew.values()].map((worker) => worker.stop()));
  };
  const relieve: Crew['relieve'] = async (queue) => {
    const worker = crew.get(queue);
    if (!worker) return;
    relieved.add(worker);
    await worker.stop();
    await start(queue, undefined);
  };
  await Promise.all([start('cpu', faults.cpu), start('gpu', faults.gpu)]);
  t.teardown(stop);
  const during = <T>(work: Promise<T>): Promise<T> => Promise.race([work, broken.promise]);
  return { store: createFileStore(join(home, 'store')), deaths, relieve, during, stop };
};

type Handle = Pick<WorkflowHandle, 'result' | 'describe' | 'workflowId'>;

export const startRun = (
  { client }: Ground,
  plan: Plan,
): Promise<Handle & { result(): Promise<RunResult> }> =>
  client.workflow.start<typeof runPlan>('runPlan', {
    taskQueue: 'cpu',
    workflowId: `chaos-${randomUUID()}`,
    args: [plan],
  });

/** Waits until an activity of that type has sent a heartbeat. */
export const untilBeating = async (handle: Handle, type: string): Promise<void> => {
  for (;;) {
    const { pendingActivities } = (await handle.describe()).raw;
    if (
      pendingActivities?.some(
        ({ activityType, heartbeatDetails }) => activityType?.name === type && heartbeatDetails,
      )
    )
      return;
    await sleep(50);
  }
};
