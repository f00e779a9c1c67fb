import type { z } from 'zod';
import type { ArtifactKind, ArtifactRef } from './artifact.ts';

/** Where a stage runs and how patient we are with it. Plain data: workflows, docs and UI read it alike. */
export interface StagePolicy {
  queue: 'cpu' | 'gpu';
  /** Longest one attempt may take. */
  startToClose: `${number}${'s' | 'm' | 'h'}`;
  /** Longest silence before the attempt counts as dead; bodies yield at least every quarter of it. */
  heartbeat: `${number}${'s' | 'm'}`;
  attempts: number;
}

/** A slot takes one artifact of a kind, or (written in brackets) any number of them. */
export type Slot = ArtifactKind | readonly [ArtifactKind];

export interface Stage<
  Name extends string = string,
  In extends Record<string, Slot> = Record<string, Slot>,
  Out extends ArtifactKind = ArtifactKind,
  P extends z.ZodType = z.ZodType,
> {
  name: Name;
  title: string;
  /** Bump when the same inputs should give different bytes. Part of the cache key. */
  version: number;
  inputs: In;
  output: Out;
  params: P;
  /** Names of params that never change the bytes; they stay out of lineage and cache key. */
  incidental?: readonly string[];
  policy: StagePolicy;
}

/** Declares one stage; literal types survive, so bodies and edges are checked against it. */
export const defineStage = <
  const Name extends string,
  const In extends Record<string, Slot>,
  const Out extends ArtifactKind,
  P extends z.ZodType,
>(
  stage: Stage<Name, In, Out, P>,
): Stage<Name, In, Out, P> => Object.freeze(stage);

type Filled<S extends Slot> = S extends readonly [infer K extends ArtifactKind]
  ? ArtifactRef<K>[]
  : S extends ArtifactKind
    ? ArtifactRef<S>
    : never;
export type StageInputs<S extends Stage> = { [K in keyof S['inputs']]: Filled<S['inputs'][K]> };
export type StageParams<S extends Stage> = z.output<S['params']>;
export type StageOutput<S extends Stage> = ArtifactRef<S['output']>;
