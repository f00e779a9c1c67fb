import type { Logger } from 'pino';
import { z } from 'zod';
import { type ActivityTools, createPerformer } from '../../activities/index.ts';
import { stageTask } from '../../activities/stage-runner.ts';
import { failureCode, failureOf } from '../../activities/to-failure.ts';
import { type Progress, stageResult } from '../../schemas/progress.ts';
import { type StageName, stages } from '../../schemas/stages/index.ts';
import { type BackendInfo, backendText, startBackend } from '../backend.ts';
import type { Queue } from '../create-worker.ts';
import { readEnvironment } from '../env.ts';
import { parseFault, withFault } from '../faults.ts';
import { createLog } from '../log.ts';
import { createFileStore } from '../store/fs.ts';

/** One attempt at a node of a plan, as plain data: it may be made in another process. */
export const attemptOrder = z.object({
  run: z.string(),
  stage: z.enum(Object.keys(stages) as [StageName, ...StageName[]]),
  task: stageTask,
  attempt: z.int().min(1).describe('counted from 1 within the run'),
});
export type AttemptOrder = z.input<typeof attemptOrder>;

const failure = z.object({ code: z.string(), message: z.string() });

/** How an attempt ended. An attempt that was stopped ends with a failure too: its signal is aborted. */
export const attemptEnd = z.union([z.object({ result: stageResult }), z.object({ failure })]);
export type AttemptEnd = z.output<typeof attemptEnd>;

/** What makes the attempts of a local run: this process, or others. */
export interface Performer {
  /** How many attempts it makes at once: in all, and of queue gpu. */
  readonly atOnce: { all: number; gpu: number };
  /** True where a process that is no longer good for work is replaced; false where it is our own. */
  readonly replaces: boolean;
  /** Never rejects. `signal` stops the attempt, which saves a checkpoint first. */
  perform(
    order: AttemptOrder,
    queue: Queue,
    beat: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<AttemptEnd>;
  close(): Promise<void>;
}

/** What stages need, without what only a worker of a server has. */
export type LocalTools = Omit<ActivityTools, 'onUnfit'>;

/** Makes the attempts in this process, one at a time: all stages would share one thread. */
export const inThisProcess = ({ log, ...tools }: LocalTools): Performer => {
  const perform = createPerformer(tools);
  return {
    atOnce: { all: 1, gpu: 1 },
    replaces: false,
    perform: async ({ run, stage, task, attempt }, _queue, beat, signal) => {
      const { node } = task;
      const host = { signal, beat, attempt, owner: `${run}/${node}`, run };
      try {
        const result = await perform(stage, task, { ...host, log: log.child({ run, node, attempt }) });
        return { result };
      } catch (error) {
        // The screen shows one line of a failure; what no table knows is a bug, and its place is needed.
        if (!signal.aborted && !failureCode(error))
          log.error({ node, stack: Object(error).stack }, 'unexpected');
        return { failure: failureOf(error) };
      }
    },
    close: async () => undefined,
  };
};

/**
 * The tools of this machine as the environment sets them, the same that a worker takes: `backend` names what computes
 * the stages of queue gpu. Only errors are logged unless UNDERSTUDY_LOG_LEVEL is set, as the run is on the screen.
 * Throws BackendUnavailable, and InvalidConfig for a bad variable.
 */
export const machineTools = async (
  queues: readonly Queue[],
  warn: (text: string) => void,
): Promise<LocalTools & { log: Logger; device: BackendInfo['device'] }> => {
  const { store, fault, logLevel } = readEnvironment({ UNDERSTUDY_LOG_LEVEL: 'error', ...process.env });
  const backend = queues.includes('gpu') ? await startBackend(warn) : undefined;
  const { bodies } = await import('../../activities/bodies.ts');
  return {
    store: createFileStore(store),
    bodies,
    log: createLog(logLevel, { pid: process.pid }),
    device: backend?.device ?? 'cpu',
    backend: backend && backendText(backend),
    wrapHost: fault === undefined ? undefined : withFault(parseFault(fault)),
  };
};
