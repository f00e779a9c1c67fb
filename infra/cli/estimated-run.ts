/** Snapshots of a run with their estimates: from a server, and of a run in this process. */
import type { Client } from '@temporalio/client';
import { decodeFromPayloadsAtIndex } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { compile } from '../../pipelines/plan/compile.ts';
import { nightly } from '../../pipelines/plan/nightly.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { RunConfig } from '../../schemas/run-config.ts';
import type { Store } from '../../schemas/store.ts';
import { readEnvironment } from '../env.ts';
import { createFileStore } from '../store/fs.ts';
import { pollersOf } from './pollers.ts';
import { RunEstimator } from './run-estimate.ts';
import { readSnapshot } from './run-snapshot.ts';
import { FinishedTimes, lastTimes } from './run-times.ts';
import type { RunSnapshot, Slots } from './run-view.ts';

/** Adds estimates to the snapshots of one run, by what the store of this machine knows of its stages. */
export class RunEstimates {
  readonly #estimator: RunEstimator;
  readonly #finished: FinishedTimes;

  private constructor(estimator: RunEstimator, finished: FinishedTimes) {
    this.#estimator = estimator;
    this.#finished = finished;
  }

  static async open(plan: Plan, store: Store, run: string): Promise<RunEstimates> {
    return new RunEstimates(
      new RunEstimator(plan, await lastTimes(plan, store, run)),
      new FinishedTimes(store),
    );
  }

  async add(snapshot: RunSnapshot, slots: Slots, now = Date.now()): Promise<RunSnapshot> {
    return this.#estimator.add(snapshot, await this.#finished.of(snapshot), slots, now);
  }
}

/** Stages that a worker of a queue takes at once: `create-worker.ts`. */
const perWorker = { cpu: 2, gpu: 1 };

/** Workers that are full ask for no more, so as many stages as are under way have a slot, too. */
const slotsOf = async (client: Client, { nodes }: RunSnapshot): Promise<Slots> => {
  const slots: Slots = { cpu: 0, gpu: 0 };
  const assumed: string[] = [];
  for (const queue of ['cpu', 'gpu'] as const) {
    const asking = perWorker[queue] * (await pollersOf(client, queue));
    const busy = nodes.filter((n) => n.queue === queue && n.state === 'running' && !n.unclaimed).length;
    slots[queue] = Math.max(asking, busy);
    if (slots[queue] > 0) continue;
    slots[queue] = perWorker[queue];
    assumed.push(queue);
  }
  return assumed.length > 0
    ? { ...slots, assumed: `one worker of queue ${assumed.join(' and of ')} is assumed; none is seen now` }
    : slots;
};

/** The plan of a run on a server, from the config it was started with and the DAG of this machine's code. */
const planOf = async (client: Client, run: string): Promise<Plan | undefined> => {
  const { namespace, loadedDataConverter } = client.options;
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace,
    execution: { workflowId: run },
    maximumPageSize: 1,
  });
  const payloads = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads;
  if (!payloads?.length) return undefined;
  return compile(nightly, (await decodeFromPayloadsAtIndex(loadedDataConverter, 0, payloads)) as RunConfig);
};

/**
 * Reads snapshots of a run on a server, with estimates. What an estimate needs may be missing: a plan of
 * another version, a store that cannot be read. Then there is none; the snapshot stands. Throws RunMissing.
 */
export const estimatedReader = (client: Client, run: string): (() => Promise<RunSnapshot>) => {
  let estimates: Promise<RunEstimates | undefined> | undefined;
  const open = async () => {
    const plan = await planOf(client, run);
    return plan && RunEstimates.open(plan, createFileStore(readEnvironment().store), run);
  };
  return async () => {
    const snapshot = await readSnapshot(client, run);
    if (snapshot.state !== 'running' || snapshot.nodes.length === 0) return snapshot;
    try {
      estimates ??= open();
      const found = await estimates;
      return found ? await found.add(snapshot, await slotsOf(client, snapshot)) : snapshot;
    } catch {
      return snapshot;
    }
  };
};
