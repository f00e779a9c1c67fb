import { compilePlan } from '../../activities/compile-plan.ts';
import type { RunConfig } from '../../schemas/run-config.ts';
import type { CommandIo } from '../cli/command.ts';
import { Interruption } from '../cli/failure-report.ts';
import { demandSuccess, follow } from '../cli/follow.ts';
import { showResults } from '../cli/run-results.ts';
import { runId } from '../cli/run-view.ts';
import { readEnvironment } from '../env.ts';
import { createFileStore } from '../store/fs.ts';
import { startLocalRun } from './local-run.ts';
import { inProcesses } from './process-pool.ts';
import { inThisProcess, machineTools, type Performer } from './stage-attempt.ts';

const startAgain = 'run the same command again: it continues from the checkpoints in the store';

const openPerformer = async (workers: number | undefined, io: CommandIo): Promise<Performer> =>
  workers === undefined
    ? inThisProcess(await machineTools(['cpu', 'gpu'], io.err))
    : inProcesses(workers, io.err);

/**
 * Runs the plan of a config without a server and shows it, as `run --wait` does on one. Returns the last snapshot
 * with its results. Throws BackendUnavailable, the run's own failure, and an Interruption after Ctrl-C: then what was
 * under way has been saved.
 */
export const runHere = async (
  config: RunConfig,
  { workers, out }: { workers?: number; out?: string },
  io: CommandIo,
) => {
  const { store } = readEnvironment();
  const plan = await compilePlan(config, createFileStore(store));
  const performer = await openPerformer(workers, io);
  try {
    const { snapshot, ended } = startLocalRun(plan, runId(config.name, new Date()), performer, io.signal);
    await follow(async () => snapshot(), io, ended);
    if (io.signal.aborted) io.err('stopping; what is under way saves a checkpoint first');
    const last = await ended;
    if (last.state === 'canceled') {
      io.err(`stopped; ${startAgain}`);
      throw new Interruption({ ...last, store }, startAgain);
    }
    demandSuccess(last);
    return { ...last, ...(await showResults(last, { store, out }, io.out)) };
  } finally {
    await performer.close();
  }
};
