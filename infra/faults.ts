import type { Host } from '../activities/safe-points.ts';
import { StageError } from '../schemas/errors.ts';
import { type StageName, stages } from '../schemas/stages/index.ts';

/** A death to come: at the `at`-th safe point of a stage, counted from 1. */
export interface Fault {
  stage: string;
  at: number;
}

/** Reads `kill:<stage>:<n>`, the value of UNDERSTUDY_FAULT. Throws InvalidConfig on anything else. */
export const parseFault = (text: string): Fault => {
  const [, stage, at] = /^kill:([a-z-]+):([1-9]\d*)$/.exec(text) ?? [];
  if (stage === undefined || !(stage in stages))
    throw new StageError(
      'InvalidConfig',
      `UNDERSTUDY_FAULT: expected kill:<stage>:<n> with a stage of ${Object.keys(stages).join(', ')}`,
    );
  return { stage, at: Number(at) };
};

/**
 * Makes a worker die for real, for chaos tests: SIGKILL to its own process at the chosen safe point of a first
 * attempt, after a checkpoint that was due and before the heartbeat. Later attempts live, so the run can finish.
 */
export const withFault =
  ({ stage, at }: Fault) =>
  (host: Host, name: StageName): Host => {
    if (name !== stage || host.attempt > 1) return host;
    let safePoints = 0;
    const beat: Host['beat'] = (progress) => {
      safePoints += 1;
      if (safePoints === at) process.kill(process.pid, 'SIGKILL');
      host.beat(progress);
    };
    return { ...host, beat };
  };
