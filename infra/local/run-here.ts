import { relative } from 'node:path';
import { compilePlan } from '../../activities/compile-plan.ts';
import type { RunConfig } from '../../schemas/run-config.ts';
import type { CommandIo } from '../cli/command.ts';
import { Interruption } from '../cli/failure-report.ts';
import { demandSuccess, follow } from '../cli/follow.ts';
import { type RunSnapshot, runId, verdictOf } from '../cli/run-view.ts';
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

/** Path of the page of a completed run. */
const reportOf = async ({ nodes }: RunSnapshot, store: string): Promise<string | undefined> => {
  const ref = nodes.find(({ stage }) => stage === 'report')?.result?.ref;
  return ref && (await createFileStore(store).open(ref)).path('report.html');
};

/**
 * Runs the plan of a config without a server and shows it, as `run --wait` does on one. Returns the last snapshot with the paths of
 * report and store. Throws BackendUnavailable, the run's own failure, and an Interruption after Ctrl-C: then what was
 * under way has been saved.
 */
export const runHere = async (config: RunConfig, workers: number | undefined, io: CommandIo) => {
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
    const report = await reportOf(last, store);
    if (report) io.out(`report  ${relative(process.cwd(), report)}`);
    const verdict = verdictOf(last);
    if (verdict) io.out(`verdict ${verdict}`);
    return { ...last, store, report, verdict };
  } finally {
    await performer.close();
  }
};
