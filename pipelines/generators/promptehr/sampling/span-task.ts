import type { Memory, SpanDecoder } from '../network/encoded-contexts.ts';
import { mustClose, type SpanRules } from '../records/span-grammar.ts';
import { beginOf, type StreamLayout } from '../records/streams.ts';

/** One span to be written. */
export interface SpanTask {
  /** Index of the context it reads. */
  context: number;
  /** Index into the layout's kinds. */
  kind: number;
  rules: SpanRules;
  /** A number in [0, 1) for the draw of each position; the same whoever else is written. */
  uniform(position: number): number;
}

/** What writing asks of a network. */
export interface SpanNetwork {
  decode(memory: Memory, contexts: Int32Array, heads: Int32Array): SpanDecoder;
}

/** What the decoder reads next: the last code of a span, or its begin bracket. */
export const lastToken = (
  { heads }: Pick<StreamLayout, 'heads'>,
  kind: number,
  said: readonly number[],
): number => {
  const last = said.at(-1);
  return last === undefined ? beginOf(kind) : (heads[kind]?.tokens[last] as number);
};

/** Starts the decoder on some of the tasks. */
export const startSpans = (network: SpanNetwork, memory: Memory, tasks: readonly SpanTask[]): SpanDecoder =>
  network.decode(
    memory,
    Int32Array.from(tasks, ({ context }) => context),
    Int32Array.from(tasks, ({ kind }) => kind),
  );

/** Tasks whose span may say anything at all. */
export const openTasks = (tasks: readonly SpanTask[]): number[] =>
  [...tasks.keys()].filter((i) => !mustClose((tasks[i] as SpanTask).rules, []));
