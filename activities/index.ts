import type { Logger } from 'pino';
import { type FailureCode, unfitCodes } from '../schemas/errors.ts';
import type { Plan } from '../schemas/plan.ts';
import type { StageResult } from '../schemas/progress.ts';
import type { Stage } from '../schemas/stage.ts';
import { type StageName, type Stages, stages } from '../schemas/stages/index.ts';
import type { Store } from '../schemas/store.ts';
import { compilePlan } from './compile-plan.ts';
import type { Host } from './safe-points.ts';
import type { StageBody } from './stage-body.ts';
import { type RawStageTask, runStage } from './stage-runner.ts';
import { temporalHost } from './temporal-host.ts';
import { failureCode, toFailure } from './to-failure.ts';

/** A body for each stage; a missing or mistyped one does not compile. */
export type Bodies = { [N in StageName]: StageBody<Stages[N]> };

export interface ActivityTools {
  store: Store;
  bodies: Bodies;
  log: Logger;
  /** What computes tensors in this process; stages of the gpu queue carry it in their lineage. */
  backend?: string;
  /** Wraps the host of every attempt; fault injection uses it. */
  wrapHost?: (host: Host, stage: StageName) => Host;
  /** Called when an attempt ended in a way after which this process should do no more work. */
  onUnfit?: (code: FailureCode) => void;
}

export type StageActivity = (task: RawStageTask) => Promise<StageResult>;
export type Activities = Record<StageName, StageActivity> & {
  compilePlan(config: unknown): Promise<Plan>;
};

/** Bump when the runner or the store would write other bytes. */
const runnerVersion = 1;

const engineOf = ({ policy }: Stage, backend: string | undefined): string =>
  `understudy ${runnerVersion}${policy.queue === 'gpu' ? `, ${backend ?? 'no backend'}` : ''}`;

/** One attempt at a task of a stage, on whatever host. Throws StageError, and what no table knows. */
export type StagePerformer = (name: StageName, task: RawStageTask, host: Host) => Promise<StageResult>;

/** How a stage is run, by a worker and by a local run alike: the same keys, hence the same bytes. */
export const createPerformer =
  ({ store, bodies, backend, wrapHost }: Omit<ActivityTools, 'log' | 'onUnfit'>): StagePerformer =>
  (name, task, host) => {
    const stage: Stage = stages[name];
    const body = bodies[name] as unknown as StageBody<Stage>;
    const tools = { store, engine: engineOf(stage, backend) };
    return runStage(stage, body, task, tools, wrapHost ? wrapHost(host, name) : host);
  };

const attempt = async <T>(
  work: () => Promise<T>,
  onUnfit: ActivityTools['onUnfit'] = () => undefined,
): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    const code = failureCode(error);
    if (code && unfitCodes.includes(code)) onUnfit(code);
    throw toFailure(error);
  }
};

/** Every activity of a worker, by name: each stage, and `compilePlan`. */
export const createActivities = (parts: ActivityTools): Activities => {
  const { store, log, onUnfit } = parts;
  const perform = createPerformer(parts);
  const activity =
    (name: StageName): StageActivity =>
    (task) =>
      attempt(() => perform(name, task, temporalHost(log, task.node)), onUnfit);
  const names = Object.keys(stages) as StageName[];
  const stageActivities = Object.fromEntries(names.map((name) => [name, activity(name)]));
  return {
    ...(stageActivities as Record<StageName, StageActivity>),
    compilePlan: (config) => attempt(() => compilePlan(config, store)),
  };
};
