import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { StageError, unfitCodes } from '../../schemas/errors.ts';
import { type Progress, progress } from '../../schemas/progress.ts';
import { isFailureCode } from '../cli/failure-report.ts';
import type { Queue } from '../create-worker.ts';
import { type AttemptEnd, type AttemptOrder, attemptEnd, type Performer } from './stage-attempt.ts';

const program = fileURLToPath(new URL('./stage-process.ts', import.meta.url));
/** One that is idle ends at once; one that hangs must not keep us. */
const graceMs = 5000;

/** What a stage process sends: first whether it can work, then progress and the end of each attempt. */
export const fromStageProcess = z.union([
  z.object({ ready: z.object({ device: z.enum(['cpu', 'gpu']), warnings: z.array(z.string()) }) }),
  z.object({ refused: z.object({ code: z.string(), message: z.string() }) }),
  z.object({ beat: progress }),
  z.object({ end: attemptEnd }),
]);
export type FromStageProcess = z.input<typeof fromStageProcess>;
export type ToStageProcess = { order: AttemptOrder } | { stop: true };

type Ready = Extract<z.output<typeof fromStageProcess>, { ready: unknown }>['ready'];

/** A child process that makes one attempt after another. It ends when we do: its channel closes. */
class StageProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<string>;
  #onBeat: (progress: Progress) => void = () => undefined;
  #onEnd: (end: AttemptEnd) => void = () => undefined;
  readonly ready: Promise<Ready>;
  alive = true;

  constructor(queue: Queue) {
    // Words of native libraries on stdout would spoil a document that stdout carries.
    this.#child = fork(program, [queue], { stdio: ['ignore', 2, 2, 'ipc'] });
    this.#exited = once(this.#child, 'exit').then(
      ([code, signal]) => `ended ${signal ? `by ${signal}` : `with status ${code}`}`,
      (error: unknown) => `could not be started: ${error}`,
    );
    const { promise, resolve, reject } = Promise.withResolvers<Ready>();
    this.ready = promise;
    promise.catch(() => undefined);
    this.#child.on('message', (raw) => {
      const message = fromStageProcess.parse(raw);
      if ('ready' in message) resolve(message.ready);
      else if ('beat' in message) this.#onBeat(message.beat);
      else if ('end' in message) this.#onEnd(message.end);
      else {
        const { code, message: text } = message.refused;
        reject(new StageError(isFailureCode(code) ? code : 'WorkerFailed', text));
      }
    });
    void this.#exited.then((how) => {
      this.alive = false;
      const text = `the process for stages of queue ${queue} ${how}`;
      reject(new StageError('ProcessLost', text));
      this.#onEnd({ failure: { code: 'ProcessLost', message: text } });
    });
  }

  /** Ends with ProcessLost when the process does; never rejects. */
  async perform(
    order: AttemptOrder,
    beat: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<AttemptEnd> {
    const { promise, resolve } = Promise.withResolvers<AttemptEnd>();
    this.#onBeat = beat;
    this.#onEnd = resolve;
    if (!this.alive) return { failure: { code: 'ProcessLost', message: 'the process ended' } };
    const stop = () => this.#send({ stop: true });
    this.#send({ order });
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#onBeat = () => undefined;
    }
  }

  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.#exited;
    clearTimeout(timer);
  }

  #send(message: ToStageProcess): void {
    // What cannot be sent goes to a process that is gone, and its end says so.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }
}

/**
 * Makes the attempts of a local run in up to `workers` processes at once. Processes are kept for later attempts of their
 * queue; one that was killed, or is no longer good for work, is replaced. A GPU is used by one attempt at a time.
 * Throws what a gpu worker throws when it cannot start.
 */
export const inProcesses = async (workers: number, warn: (text: string) => void): Promise<Performer> => {
  const all = new Set<StageProcess>();
  const idle: Record<Queue, StageProcess[]> = { cpu: [], gpu: [] };
  const end = async (process: StageProcess): Promise<void> => {
    all.delete(process);
    await process.end();
  };
  const start = async (queue: Queue): Promise<{ process: StageProcess; ready: Ready }> => {
    const process = new StageProcess(queue);
    all.add(process);
    try {
      return { process, ready: await process.ready };
    } catch (error) {
      await end(process);
      throw error;
    }
  };
  const take = async (queue: Queue): Promise<StageProcess> => {
    const known = idle[queue].pop();
    if (!known) return (await start(queue)).process;
    return known.alive ? known : take(queue);
  };
  const first = await start('gpu');
  idle.gpu.push(first.process);
  for (const warning of first.ready.warnings) warn(warning);
  return {
    atOnce: { all: workers, gpu: first.ready.device === 'gpu' ? 1 : workers },
    replaces: true,
    perform: async (order, queue, beat, signal) => {
      let process: StageProcess;
      try {
        process = await take(queue);
      } catch (error) {
        const lost = error instanceof StageError ? error : new StageError('ProcessLost', String(error));
        return { failure: { code: lost.code, message: lost.message } };
      }
      const ended = await process.perform(order, beat, signal);
      const code = 'failure' in ended ? ended.failure.code : undefined;
      if (process.alive && !(isFailureCode(code) && unfitCodes.includes(code))) idle[queue].push(process);
      else await end(process);
      return ended;
    },
    close: async () => {
      await Promise.all([...all].map(end));
    },
  };
};
