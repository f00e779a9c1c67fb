import { setImmediate as breathe } from 'node:timers/promises';
import type { Checkpointable } from '../pipelines/kernel/checkpointable.ts';
import { release } from '../pipelines/kernel/free-array.ts';
import { decodeSaved, encodeInTurns } from '../pipelines/kernel/safetensors.ts';
import { StageError } from '../schemas/errors.ts';
import type { Progress } from '../schemas/progress.ts';
import type { Store, WriteWatch } from '../schemas/store.ts';
import type { StageTools, Summary } from './stage-body.ts';

/** The clockwork around a stage: Temporal in a worker, nothing at all in a test. */
export interface Host {
  signal: AbortSignal;
  /** Called at every safe point; may drop what comes too often. */
  beat(progress: Progress): void;
  attempt: number;
  /** Whose attempts these are: one activity of one run. */
  owner: string;
  /** Name of the run, for people. */
  run?: string;
  /** Silence after which the attempt counts as dead. */
  heartbeatMs?: number;
  /** Longest time between two safe points; default an hour. What takes longer hangs. */
  stepMs?: number;
  /** Longest time in which the writing of a checkpoint makes no progress; default ten minutes. */
  storeMs?: number;
  log: StageTools['log'];
}

/**
 * Saves and loads the state that a body registers with `resume`. Stages without one never touch the store.
 */
export class Checkpoints {
  #state: Checkpointable | undefined;
  #savedAt = performance.now();
  #savedStep = 0;
  /** Step of the checkpoint that this attempt continued from; 0 without one. */
  resumedFrom = 0;
  readonly #store: Store;
  readonly #key: string;
  readonly #everyMs: number;
  readonly #host: Host;

  constructor(store: Store, key: string, everySeconds: number, host: Host) {
    this.#store = store;
    this.#key = key;
    this.#everyMs = everySeconds * 1000;
    this.#host = host;
  }

  async resume(state: Checkpointable): Promise<number> {
    const found = await this.#store.readCheckpoint(this.#key);
    if (found) {
      await state.load(decodeSaved(found.bytes));
      this.resumedFrom = this.#savedStep = found.step;
      this.#host.log.info({ step: found.step }, 'resumed from a checkpoint');
    }
    this.#state = state;
    this.#savedAt = performance.now();
    return this.resumedFrom;
  }

  get due(): boolean {
    return performance.now() - this.#savedAt >= this.#everyMs;
  }

  /**
   * Does nothing without a state, or when the step of `now` is saved already. Heartbeats go on meanwhile.
   * Throws Superseded, StoreUnavailable, and Stalled when the writing makes no progress for `storeMs` of the
   * host.
   */
  async save(now: Progress): Promise<void> {
    const state = this.#state;
    if (!state || now.step === this.#savedStep) return;
    const { storeMs = longestSilenceOfStoreMs } = this.#host;
    const phase = 'writing a checkpoint';
    await whileBeating(
      this.#host,
      { ...now, phase },
      (watch) => this.#write(state, now.step, watch),
      storeMs,
    );
    this.#savedStep = now.step;
    this.#savedAt = performance.now();
  }

  async #write(state: Checkpointable, step: number, watch: WriteWatch): Promise<void> {
    const { attempt, owner } = this.#host;
    const saved = await state.save();
    watch.progressed();
    const bytes = await encodeInTurns(saved);
    watch.progressed();
    await this.#store.writeCheckpoint(this.#key, { step, attempt, owner, bytes }, watch);
    release(bytes);
  }
}

const longestStepMs = 3_600_000;
/**
 * A store takes a portion of a checkpoint (64 MiB) in seconds; a file server that restarts is back within
 * minutes.
 */
const longestSilenceOfStoreMs = 600_000;

/**
 * Keeps an attempt alive while something long goes on between safe points or outside of them, as long as it
 * gives the event loop its turns. Throws Stalled when it neither ends nor reports progress for `limitMs`: an
 * attempt that hangs must not look alive for ever. The watch's signal is aborted then, so that what goes on
 * after all does no harm.
 */
export const whileBeating = async <T>(
  host: Host,
  now: Progress,
  work: (watch: WriteWatch) => Promise<T>,
  limitMs = host.stepMs ?? longestStepMs,
): Promise<T> => {
  const { heartbeatMs = 60_000 } = host;
  const beats = setInterval(() => host.beat(now), heartbeatMs / 4);
  const { promise: stalled, reject } = Promise.withResolvers<never>();
  const stall = new AbortController();
  // What reports progress later must not set the timer again.
  let open = true;
  const minutes = Number((limitMs / 60_000).toPrecision(3));
  const after = `after step ${now.step} of ${now.of}${now.phase ? `, ${now.phase},` : ''}`;
  const limit = setTimeout(() => {
    const error = new StageError('Stalled', `${after} nothing came to an end for ${minutes} minutes`);
    stall.abort(error);
    reject(error);
  }, limitMs);
  try {
    const progressed = () => {
      if (open) limit.refresh();
    };
    return await Promise.race([work({ progressed, signal: stall.signal }), stalled]);
  } finally {
    open = false;
    clearInterval(beats);
    clearTimeout(limit);
  }
};

/** Warns of a body that took long to its next safe point, `since` when. */
const noteGap = ({ heartbeatMs, log }: Host, since: number): void => {
  const gap = performance.now() - since;
  if (heartbeatMs && gap > heartbeatMs / 4)
    log.warn(
      { gapMs: Math.round(gap), heartbeatMs },
      'safe points are far apart: the body should yield more often',
    );
};

/** Seconds of each part of a stage, by the parts that its safe points name. */
export class PartTimes {
  readonly #seconds = new Map<string, number>();
  #since = performance.now();
  #name: string | undefined;

  /** The time since the last safe point is that of the part which this one names. */
  reached({ part }: Progress): void {
    if (part) this.#name = part.names[part.index];
    this.#add();
  }

  /** Undefined where the stage has no parts. What came after the last safe point is of the last part. */
  end(): Record<string, number> | undefined {
    this.#add();
    if (this.#name === undefined) return undefined;
    return Object.fromEntries(
      [...this.#seconds].map(([name, seconds]) => [name, Math.round(1000 * seconds) / 1000]),
    );
  }

  #add(): void {
    const now = performance.now();
    if (this.#name !== undefined)
      this.#seconds.set(this.#name, (this.#seconds.get(this.#name) ?? 0) + (now - this.#since) / 1000);
    this.#since = now;
  }
}

/**
 * Drives a body from safe point to safe point: checkpoint if due, then heartbeat, then let the event loop
 * take a turn, then stop if asked to, saving first. A stopped body's `finally` blocks run.
 */
export const pump = async (
  work: AsyncGenerator<Progress, Summary>,
  checkpoints: Checkpoints,
  host: Host,
  times?: PartTimes,
): Promise<Summary> => {
  let last: Progress = { step: 0, of: 1 };
  try {
    for (;;) {
      const began = performance.now();
      const { done, value } = await whileBeating(host, last, () => work.next());
      if (done) return value;
      last = value;
      times?.reached(value);
      noteGap(host, began);
      if (checkpoints.due) await checkpoints.save(value);
      host.beat(value);
      await breathe();
      if (!host.signal.aborted) continue;
      await checkpoints
        .save(value)
        .catch((error: Error) => host.log.warn({ failure: error.name }, 'no checkpoint on the way out'));
      host.signal.throwIfAborted();
    }
  } catch (error) {
    const ended = work.return({});
    // What hangs would keep us as well; its worker ends soon.
    if (error instanceof StageError && error.code === 'Stalled') ended.catch(() => undefined);
    else await ended;
    throw error;
  }
};
