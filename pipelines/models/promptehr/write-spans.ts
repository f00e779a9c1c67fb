import { drawOutput, likeliest, logSoftmax, type PromptDrawing } from './decoding.ts';
import { allowedOutputs, mustClose } from './grammar.ts';
import type { Memory } from './memory.ts';
import { searchSpans } from './search-spans.ts';
import { lastToken, openTasks, type SpanNetwork, type SpanTask, startSpans } from './span-task.ts';
import type { StreamLayout } from './streams.ts';

const drawSpans = async (
  network: SpanNetwork,
  memory: Memory,
  layout: StreamLayout,
  tasks: readonly SpanTask[],
  choose: (logs: Float64Array, uniform: () => number) => number,
): Promise<number[][]> => {
  const said: number[][] = tasks.map(() => []);
  let live = openTasks(tasks);
  if (live.length === 0) return said;
  const decoder = startSpans(
    network,
    memory,
    live.map((i) => tasks[i] as SpanTask),
  );
  try {
    while (live.length > 0) {
      const inputs = live.map((i) => lastToken(layout, (tasks[i] as SpanTask).kind, said[i] ?? []));
      const logits = await decoder.step(Int32Array.from(inputs));
      const going: number[] = [];
      live.forEach((i, row) => {
        const { rules, uniform } = tasks[i] as SpanTask;
        const own = said[i] as number[];
        const logs = logSoftmax(logits[row] as Float32Array, allowedOutputs(rules, own));
        const output = choose(logs, () => uniform(own.length));
        if (output === 0) return;
        own.push(output);
        if (!mustClose(rules, own)) going.push(row);
      });
      if (going.length > 0 && going.length < live.length) decoder.select(Int32Array.from(going));
      live = going.map((row) => live[row] as number);
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
