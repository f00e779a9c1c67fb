import type { Logger } from 'pino';
import type { Checkpointable } from '../pipelines/kernel/checkpointable.ts';
import type { ArtifactRef } from '../schemas/artifact.ts';
import type { Progress } from '../schemas/progress.ts';
import type { Stage, StageInputs, StageParams } from '../schemas/stage.ts';
import type { Draft, OpenArtifact } from '../schemas/store.ts';

/** A piece of a stage's work that is kept under a key of its own; nothing but what is named here may decide it. */
export interface StagePart {
  /** Unique within the stage. */
  name: string;
  /** Source files whose import closure decides the result. */
  code: string[];
  params: unknown;
  inputs: Record<string, ArtifactRef | ArtifactRef[]>;
}

/** What a body gets beside its params and inputs. */
export interface StageTools {
  open(ref: ArtifactRef): Promise<OpenArtifact>;
  /** The output in the making; the runner commits it when the body returns. */
  draft: Pick<Draft, 'path' | 'write'>;
  /** Continues where an earlier attempt stopped; returns the step to continue from (0 without a checkpoint). */
  resume(state: Checkpointable): Promise<number>;
  /**
   * The result of a part, from the store or by computing it now; used with `yield*`. Results are JSON: small, and
   * parsed by the caller. A later attempt finds those of an earlier one.
   */
  part(
    part: StagePart,
    compute: () => AsyncGenerator<Progress, unknown, void>,
  ): AsyncGenerator<Progress, unknown, void>;
  signal: AbortSignal;
  log: Pick<Logger, 'info' | 'warn' | 'debug'>;
}

/** Aggregates that a stage reports about its output: shown in status and report, kept in the history. */
export type Summary = Record<string, number | string>;

export interface StageTask<S extends Stage> {
  params: StageParams<S>;
  inputs: StageInputs<S>;
}

/** The code behind a stage contract. Each `yield` is a safe point: heartbeat, checkpoint, cancellation. */
export interface StageBody<S extends Stage> {
  /** `import.meta.url` of the body: its import closure is digested into the cache key. */
  code: string;
  /** Further source files that decide the result but are loaded by name (a generator's file). */
  codeOf?(params: StageParams<S>): string[];
  /** Digest of what the body reads from outside the store. Part of the cache key. */
  fingerprint?(params: StageParams<S>): Promise<string>;
  run(task: StageTask<S>, tools: StageTools): AsyncGenerator<Progress, Summary>;
}

export const defineBody = <S extends Stage>(_stage: S, body: StageBody<S>): StageBody<S> => body;
