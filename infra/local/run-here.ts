import { compilePlan } from '../../activities/compile-plan.ts';
import type { RunConfig } from '../../schemas/run-config.ts';
import type { CommandIo } from '../cli/command.ts';
import { RunEstimates } from '../cli/estimated-run.ts';
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
  const { store: folder } = readEnvironment();
  const store = createFileStore(folder);
  const plan = await compilePlan(config, store);
  const run = runId(config.name, new Date());
  const performer = await openPerformer(workers, io);
  try {
    const { snapshot, ended } = startLocalRun(plan, run, performer, io.signal);
    const { all, gpu } = performer.atOnce;
    const estimates = await RunEstimates.open(plan, store, run);
    await follow(() => estimates.add(snapshot(), { cpu: all, gpu, all }), io, ended);
    if (io.signal.aborted) io.err('stopping; what is under way saves a checkpoint first');
    const last = await ended;
    if (last.state === 'canceled') {
      io.err(`stopped; ${startAgain}`);
      throw new Interruption({ ...last, store: folder }, startAgain);
    }
    demandSuccess(last);
    return { ...last, ...(await showResults(last, { store: folder, out }, io.out)) };
  } finally {
    await performer.close();
  }
};
