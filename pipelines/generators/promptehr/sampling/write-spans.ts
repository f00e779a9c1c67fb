/** Spans written by a network, token by token, all in step: sampled, greedy, or by beam search. */
import type { EncodedContexts } from '../network/encode-contexts.ts';
import type { SpanDecoder } from '../network/span-decoder.ts';
import { allowedOutputs, mustClose, type SpanRules } from '../records/span-grammar.ts';
import { beginOf, type StreamLayout } from '../records/streams.ts';
import { likeliest, logSoftmax, type PromptSampling, sampleOutput } from './decoding.ts';

/** One span to be written. */
export interface SpanTask {
  /** Index of the context it reads. */
  context: number;
  /** Index into the layout's kinds. */
  kind: number;
  rules: SpanRules;
  /** A number in [0, 1) for each position; independent of the other spans. */
  uniform(position: number): number;
}

/** What writing needs of a network. */
export interface SpanNetwork {
  decode(encoded: EncodedContexts, contexts: Int32Array, heads: Int32Array): SpanDecoder;
}

/** What the decoder reads next: the last code of a span, or its begin bracket. */
export const lastToken = (
  { heads }: Pick<StreamLayout, 'heads'>,
  kind: number,
  written: readonly number[],
): number => {
  const last = written.at(-1);
  return last === undefined ? beginOf(kind) : (heads[kind]?.tokens[last] as number);
};

/** Starts the decoder on some spans. */
export const startSpans = (
  network: SpanNetwork,
  encoded: EncodedContexts,
  spans: readonly Pick<SpanTask, 'context' | 'kind'>[],
): SpanDecoder =>
  network.decode(
    encoded,
    Int32Array.from(spans, ({ context }) => context),
    Int32Array.from(spans, ({ kind }) => kind),
  );

/** Tasks whose span may have any code at all. */
const openTasks = (tasks: readonly SpanTask[]): number[] =>
  [...tasks.keys()].filter((i) => !mustClose((tasks[i] as SpanTask).rules, []));

/** A span as far as it is written. */
interface Hypothesis {
  written: number[];
  /** ln of its probability so far. */
  log: number;
  /** Whether it took the likeliest output at every step. */
  isGreedy: boolean;
}

/** The search for one span. */
interface Search {
  task: SpanTask;
  live: Hypothesis[];
  /** The likeliest span that was closed. */
  best?: Hypothesis;
}

const better = (a: Hypothesis | undefined, b: Hypothesis): Hypothesis => (a && a.log >= b.log ? a : b);

interface Step extends Hypothesis {
  /** Row of the decoder that it goes on from. */
  row: number;
  closes: boolean;
}

/** The likeliest `beams` continuations of a search; the greedy one is always among them. */
const continuations = (
  { task, live }: Search,
  logits: readonly Float32Array[],
  firstRow: number,
  beams: number,
): Step[] => {
  const steps = live.flatMap(({ written, log, isGreedy }, i): Step[] => {
    const logs = logSoftmax(logits[firstRow + i] as Float32Array, allowedOutputs(task.rules, written));
    return likeliest(logs, beams).map((output, rank) => ({
      written: output === 0 ? written : [...written, output],
      log: log + (logs[output] as number),
      isGreedy: isGreedy && rank === 0,
      row: firstRow + i,
      closes: output === 0,
    }));
  });
  const ranked = steps.sort((a, b) => b.log - a.log);
  const kept = ranked.slice(0, beams);
  const greedy = ranked.slice(beams).find(({ isGreedy }) => isGreedy);
  return greedy ? [...kept.slice(0, -1), greedy] : kept;
};

/** Closes what ends, keeps what may still become the likeliest; gives the decoder's rows that go on. */
const advance = (search: Search, steps: readonly Step[]): number[] => {
  const open: Step[] = [];
  for (const step of steps) {
    if (step.closes || mustClose(search.task.rules, step.written)) search.best = better(search.best, step);
    else open.push(step);
  }
  // A span only gets less likely as it grows.
  const limit = search.best?.log ?? Number.NEGATIVE_INFINITY;
  search.live = open.filter(({ log }) => log > limit);
  return open.filter(({ log }) => log > limit).map(({ row }) => row);
};

/**
 * Beam search for the likeliest span of each task, without a length penalty. The hypothesis that takes the
 * likeliest output at each step never leaves the beam, so that no result is less likely than what greedy
 * decoding gives.
 */
const searchSpans = async (
  network: SpanNetwork,
  encoded: EncodedContexts,
  layout: StreamLayout,
  tasks: readonly SpanTask[],
  beams: number,
): Promise<number[][]> => {
  const searches = tasks.map((task): Search => ({ task, live: [] }));
  const opened = openTasks(tasks).map((i) => searches[i] as Search);
  for (const search of opened) search.live = [{ written: [], log: 0, isGreedy: true }];
  if (opened.length === 0) return tasks.map(() => []);
  const decoder = startSpans(
    network,
    encoded,
    opened.map(({ task }) => task),
  );
  try {
    for (let live = opened; live.length > 0; live = live.filter(({ live: own }) => own.length > 0)) {
      const inputs = live.flatMap(({ task, live: own }) =>
        own.map(({ written }) => lastToken(layout, task.kind, written)),
      );
      const logits = await decoder.step(Int32Array.from(inputs));
      let row = 0;
      const rows = live.flatMap((search) => {
        const first = row;
        row += search.live.length;
        return advance(search, continuations(search, logits, first, beams));
      });
      if (rows.length > 0 && (rows.length !== row || rows.some((from, to) => from !== to)))
        decoder.select(Int32Array.from(rows));
    }
    return searches.map(({ best }) => best?.written ?? []);
  } finally {
    decoder.dispose();
  }
};

/**
 * Rows that the decoder has for so many spans: up to a quarter more, so that there are few different numbers.
 * For each new shape of a product oneDNN compiles a kernel, which takes longer than the product, and leaving
 * out a span that is closed copies all that the decoder keeps of the others.
 */
const rowsFor = (spans: number): number => {
  const step = Math.max(1, 2 ** Math.floor(Math.log2(Math.max(1, spans))) / 4);
  return Math.ceil(spans / step) * step;
};

/** Rows that are not needed read copies of the last span. */
const padded = (spans: readonly number[]): number[] => [
  ...spans,
  ...new Array<number>(rowsFor(spans.length) - spans.length).fill(spans.at(-1) as number),
];

const sampleSpans = async (
  network: SpanNetwork,
  encoded: EncodedContexts,
  layout: StreamLayout,
  tasks: readonly SpanTask[],
  choose: (logs: Float64Array, uniform: () => number) => number,
): Promise<number[][]> => {
  const written: number[][] = tasks.map(() => []);
  // Rows of the spans that are not closed yet; all rows of the decoder, copies included, go on being read.
  const first = openTasks(tasks);
  if (first.length === 0) return written;
  let reading = padded(first);
  let open = [...first.keys()];
  const decoder = startSpans(
    network,
    encoded,
    reading.map((i) => tasks[i] as SpanTask),
  );
  try {
    while (open.length > 0) {
      const inputs = reading.map((i) => lastToken(layout, (tasks[i] as SpanTask).kind, written[i] ?? []));
      const logits = await decoder.step(Int32Array.from(inputs));
      open = open.filter((row) => {
        const i = reading[row] as number;
        const { rules, uniform } = tasks[i] as SpanTask;
        const own = written[i] as number[];
        const logs = logSoftmax(logits[row] as Float32Array, allowedOutputs(rules, own));
        const output = choose(logs, () => uniform(own.length));
        if (output === 0) return false;
        own.push(output);
        return !mustClose(rules, own);
      });
      if (open.length === 0 || rowsFor(open.length) >= reading.length) continue;
      const kept = padded(open);
      decoder.select(Int32Array.from(kept));
      reading = kept.map((row) => reading[row] as number);
      open = [...open.keys()];
    }
    return written;
  } finally {
    decoder.dispose();
  }
};

/**
 * Writes spans, all in step, each from its own context: the outputs of its head, the end left out. A span to
 * which the grammar allows no code, or none any more, is closed without running the network.
 */
export const writeSpans = (
  network: SpanNetwork,
  encoded: EncodedContexts,
  layout: StreamLayout,
  tasks: readonly SpanTask[],
  sampling: PromptSampling,
): Promise<number[][]> => {
  if (sampling.method === 'beam') return searchSpans(network, encoded, layout, tasks, sampling.beams);
  const choose =
    sampling.method === 'greedy'
      ? (logs: Float64Array) => likeliest(logs, 1)[0] ?? 0
      : (logs: Float64Array, uniform: () => number) => sampleOutput(logs, sampling, uniform());
  return sampleSpans(network, encoded, layout, tasks, choose);
};
