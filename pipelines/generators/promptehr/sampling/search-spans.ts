import type { Memory } from '../network/encoded-contexts.ts';
import { allowedOutputs, mustClose } from '../records/span-grammar.ts';
import type { StreamLayout } from '../records/streams.ts';
import { likeliest, logSoftmax } from './decoding.ts';
import { lastToken, openTasks, type SpanNetwork, type SpanTask, startSpans } from './span-task.ts';

/** A span as far as it is written. */
interface Hypothesis {
  said: number[];
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
  const steps = live.flatMap(({ said, log, isGreedy }, i): Step[] => {
    const logs = logSoftmax(logits[firstRow + i] as Float32Array, allowedOutputs(task.rules, said));
    return likeliest(logs, beams).map((output, rank) => ({
      said: output === 0 ? said : [...said, output],
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
    if (step.closes || mustClose(search.task.rules, step.said)) search.best = better(search.best, step);
    else open.push(step);
  }
  // A span only gets less likely as it grows.
  const limit = search.best?.log ?? Number.NEGATIVE_INFINITY;
  search.live = open.filter(({ log }) => log > limit);
  return open.filter(({ log }) => log > limit).map(({ row }) => row);
};

/**
 * Beam search for the likeliest span of each task, without a length penalty. The hypothesis that takes the likeliest
 * output at each step never leaves the beam, so that no result is less likely than what greedy decoding gives.
 */
export const searchSpans = async (
  network: SpanNetwork,
  memory: Memory,
  layout: StreamLayout,
  tasks: readonly SpanTask[],
  beams: number,
): Promise<number[][]> => {
  const searches = tasks.map((task): Search => ({ task, live: [] }));
  const opened = openTasks(tasks).map((i) => searches[i] as Search);
  for (const search of opened) search.live = [{ said: [], log: 0, isGreedy: true }];
  if (opened.length === 0) return tasks.map(() => []);
  const decoder = startSpans(
    network,
    memory,
    opened.map(({ task }) => task),
  );
  try {
    for (let live = opened; live.length > 0; live = live.filter(({ live: own }) => own.length > 0)) {
      const inputs = live.flatMap(({ task, live: own }) =>
        own.map(({ said }) => lastToken(layout, task.kind, said)),
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
    return searches.map(({ best }) => best?.said ?? []);
  } finally {
    decoder.dispose();
  }
};
