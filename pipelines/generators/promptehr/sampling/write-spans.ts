import type { Memory } from '../network/encoded-contexts.ts';
import { allowedOutputs, mustClose } from '../records/span-grammar.ts';
import type { StreamLayout } from '../records/streams.ts';
import { drawOutput, likeliest, logSoftmax, type PromptDrawing } from './decoding.ts';
import { searchSpans } from './search-spans.ts';
import { lastToken, openTasks, type SpanNetwork, type SpanTask, startSpans } from './span-task.ts';

/**
 * Rows that the decoder has for so many spans: up to a quarter more, so that there are few different numbers. For each
 * new shape of a product oneDNN compiles a kernel, which takes longer than the product, and leaving out a span that is
 * closed copies all that the decoder keeps of the others.
 */
const seatsFor = (spans: number): number => {
  const step = Math.max(1, 2 ** Math.floor(Math.log2(Math.max(1, spans))) / 4);
  return Math.ceil(spans / step) * step;
};

/** On seats that nobody needs sit copies of the last. */
const seated = (spans: readonly number[]): number[] => [
  ...spans,
  ...new Array<number>(seatsFor(spans.length) - spans.length).fill(spans.at(-1) as number),
];

const drawSpans = async (
  network: SpanNetwork,
  memory: Memory,
  layout: StreamLayout,
  tasks: readonly SpanTask[],
  choose: (logs: Float64Array, uniform: () => number) => number,
): Promise<number[][]> => {
  const said: number[][] = tasks.map(() => []);
  // Seats of the spans that are not closed yet; all that sit, copies included, go on being read.
  const first = openTasks(tasks);
  if (first.length === 0) return said;
  let sitting = seated(first);
  let open = [...first.keys()];
  const decoder = startSpans(
    network,
    memory,
    sitting.map((i) => tasks[i] as SpanTask),
  );
  try {
    while (open.length > 0) {
      const inputs = sitting.map((i) => lastToken(layout, (tasks[i] as SpanTask).kind, said[i] ?? []));
      const logits = await decoder.step(Int32Array.from(inputs));
      open = open.filter((seat) => {
        const i = sitting[seat] as number;
        const { rules, uniform } = tasks[i] as SpanTask;
        const own = said[i] as number[];
        const logs = logSoftmax(logits[seat] as Float32Array, allowedOutputs(rules, own));
        const output = choose(logs, () => uniform(own.length));
        if (output === 0) return false;
        own.push(output);
        return !mustClose(rules, own);
      });
      if (open.length === 0 || seatsFor(open.length) >= sitting.length) continue;
      const kept = seated(open);
      decoder.select(Int32Array.from(kept));
      sitting = kept.map((seat) => sitting[seat] as number);
      open = [...open.keys()];
    }
    return said;
  } finally {
    decoder.dispose();
  }
};

/**
 * Writes spans, all in step, each read from its own context: the outputs of the head that each says, its end left out.
 * A span that the grammar leaves nothing to say, or nothing more, is closed without asking the network.
 */
export const writeSpans = (
  network: SpanNetwork,
  memory: Memory,
  layout: StreamLayout,
  tasks: readonly SpanTask[],
  drawing: PromptDrawing,
): Promise<number[][]> => {
  if (drawing.method === 'beam') return searchSpans(network, memory, layout, tasks, drawing.beams);
  const choose =
    drawing.method === 'greedy'
      ? (logs: Float64Array) => likeliest(logs, 1)[0] ?? 0
      : (logs: Float64Array, uniform: () => number) => drawOutput(logs, drawing, uniform());
  return drawSpans(network, memory, layout, tasks, choose);
};
