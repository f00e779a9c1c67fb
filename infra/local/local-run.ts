import { setTimeout as sleep } from 'node:timers/promises';
import { unfitCodes } from '../../schemas/errors.ts';
import type { Plan, PlanNode } from '../../schemas/plan.ts';
import {
  Board,
  canceled,
  conclude,
  type NodeInputs,
  type Outcome,
  retryPauseMs,
  settleNodes,
  succeeded,
} from '../../workflows/settle.ts';
import { isFailureCode } from '../cli/failure-report.ts';
import type { NodeView, RunSnapshot } from '../cli/run-view.ts';
import type { Queue } from '../create-worker.ts';
import { attemptOrder, type Performer } from './stage-attempt.ts';

/** A run of a plan without a server. It lives as long as this process; the store keeps what it has made. */
export interface LocalRun {
  /** Where it stands. */
  snapshot(): RunSnapshot;
  /** Its last snapshot: completed, failed or canceled. Never rejects for a failure of a stage. */
  ended: Promise<RunSnapshot>;
}

/** Lends places for attempts, first come first served as far as their queues have room. */
class Places {
  readonly #most: Performer['atOnce'];
  readonly #busy = { cpu: 0, gpu: 0 };
  readonly #waiting: { queue: Queue; begin: () => void }[] = [];

  constructor(most: Performer['atOnce']) {
    this.#most = most;
  }

  async during<T>(queue: Queue, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((begin) => {
      this.#waiting.push({ queue, begin });
      this.#lend();
    });
    try {
      return await work();
    } finally {
      this.#busy[queue] -= 1;
      this.#lend();
    }
  }

  #lend(): void {
    const { cpu, gpu } = this.#busy;
    if (cpu + gpu >= this.#most.all) return;
    const at = this.#waiting.findIndex(({ queue }) => queue === 'cpu' || gpu < this.#most.gpu);
    const [next] = at < 0 ? [] : this.#waiting.splice(at, 1);
    if (!next) return;
    this.#busy[next.queue] += 1;
    next.begin();
    this.#lend();
  }
}

/**
 * Runs a plan by the rules of the workflow: the same order, the same retries after the same pauses, a failed branch
 * costs what needs it. There is no limit on an attempt's time. `signal` cancels: what is under way saves a checkpoint,
 * from which the next run of the same work continues.
 */
export const startLocalRun = (
  plan: Plan,
  run: string,
  performer: Performer,
  signal: AbortSignal = new AbortController().signal,
): LocalRun => {
  const board = new Board(plan);
  const places = new Places(performer.atOnce);
  const shown = new Map<string, Partial<NodeView>>();
  const show = (id: string, news: Partial<NodeView>) => shown.set(id, { ...shown.get(id), ...news });
  const started = Date.now();
  const unfit = new AbortController();
  const stopped = AbortSignal.any([signal, unfit.signal]);
  let last: Pick<RunSnapshot, 'state' | 'failure' | 'seconds'> | undefined;

  const attemptOnce = (node: PlanNode, inputs: NodeInputs, attempt: number): Promise<Outcome> =>
    places.during(node.policy.queue, async () => {
      if (stopped.aborted) return canceled;
      board.start(node.id);
      show(node.id, { startedAt: Date.now() });
      const order = attemptOrder.parse({
        run,
        stage: node.stage,
        task: { node: node.id, params: node.params, inputs },
        attempt,
      });
      const beat: Parameters<Performer['perform']>[2] = (progress) =>
        show(node.id, { beat: { at: Date.now(), progress } });
      const end = await performer.perform(order, node.policy.queue, beat, stopped);
      if ('result' in end) return succeeded(end.result);
      return stopped.aborted ? canceled : { state: 'failed', failure: end.failure };
    });

  const perform = async (node: PlanNode, inputs: NodeInputs): Promise<Outcome> => {
    for (let attempt = 1; ; attempt++) {
      const outcome = await attemptOnce(node, inputs, attempt);
      if (outcome.state !== 'failed') return outcome;
      const { code, message } = outcome.failure;
      const isUnfit = isFailureCode(code) && unfitCodes.includes(code) && !performer.replaces;
      if (isUnfit) unfit.abort();
      if (isUnfit || attempt >= node.policy.attempts || plan.nonRetryable.includes(code)) return outcome;
      show(node.id, { attempt: attempt + 1, lastFailure: message.split('\n')[0] ?? code });
      const pause = Math.min(retryPauseMs.longest, retryPauseMs.first * 2 ** (attempt - 1));
      await sleep(pause, undefined, { signal: stopped }).catch(() => undefined);
    }
  };

  const snapshot = (): RunSnapshot => ({
    run,
    state: 'running',
    started: new Date(started).toISOString(),
    seconds: (Date.now() - started) / 1000,
    nodes: board.list().map((node) => (node.state === 'running' ? { ...node, ...shown.get(node.id) } : node)),
    ...last,
  });
  const toEnd = async (): Promise<RunSnapshot> => {
    const outcomes = await settleNodes(plan, board, perform);
    const seconds = (Date.now() - started) / 1000;
    const end = conclude(plan, outcomes);
    if (signal.aborted && [...outcomes.values()].includes(canceled)) last = { state: 'canceled', seconds };
    else if ('failure' in end)
      last = { state: 'failed', seconds, failure: { code: 'RunFailed', message: end.failure } };
    else last = { state: 'completed', seconds };
    return snapshot();
  };
  return { snapshot, ended: toEnd() };
};
