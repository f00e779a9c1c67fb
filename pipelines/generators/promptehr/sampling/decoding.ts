import { z } from 'zod';

/** How spans are written: `generators[].sampling` of PromptEHR. */
export const promptSampling = z
  .strictObject({
    method: z
      .enum(['sample', 'greedy', 'beam'])
      .default('sample')
      .describe(
        'sample: by their probabilities; greedy: the likeliest code at each step; beam: the likeliest span',
      ),
    temperature: z
      .number()
      .positive()
      .default(1)
      .describe('of `sample`: below 1 likely codes become likelier, above 1 rare ones'),
    topK: z.int().positive().optional().describe('of `sample`: only so many likeliest codes can be sampled'),
    topP: z
      .number()
      .positive()
      .max(1)
      .optional()
      .describe(
        'of `sample`: only the likeliest codes that make up this probability can be sampled (nucleus)',
      ),
    beams: z.int().min(2).max(64).default(4).describe('of `beam`: spans kept while searching'),
    spanCodes: z
      .int()
      .positive()
      .optional()
      .describe('most codes of one kind in a visit; default: as many as the model can write'),
  })
  .refine(({ method, topK, topP }) => method === 'sample' || (topK === undefined && topP === undefined), {
    message: 'topK and topP are settings of method: sample',
  });
export type PromptSampling = z.output<typeof promptSampling>;

/** ln of the probabilities that logits mean among the allowed outputs; −∞ for the others. */
export const logSoftmax = (logits: Float32Array, allowed: Uint8Array): Float64Array => {
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++)
    if (allowed[i] === 1) highest = Math.max(highest, logits[i] as number);
  let sum = 0;
  for (let i = 0; i < logits.length; i++)
    if (allowed[i] === 1) sum += Math.exp((logits[i] as number) - highest);
  const shift = highest + Math.log(sum);
  const logs = new Float64Array(logits.length).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < logits.length; i++) if (allowed[i] === 1) logs[i] = (logits[i] as number) - shift;
  return logs;
};

/**
 * The outputs that are possible, likeliest first; of equally likely ones the lower. At most `most` of them.
 */
export const likeliest = (logs: Float64Array, most: number): number[] => {
  const best: number[] = [];
  let least = Number.NEGATIVE_INFINITY;
  for (let output = 0; output < logs.length; output++) {
    const log = logs[output] as number;
    if (log <= least) continue;
    let at = best.length;
    while (at > 0 && (logs[best[at - 1] as number] as number) < log) at--;
    best.splice(at, 0, output);
    if (best.length > most) best.pop();
    if (best.length === most) least = logs[best[most - 1] as number] as number;
  }
  return best;
};

/** Sets to zero the weights of all but those that make up `topP` of their sum, likeliest first. */
const keepNucleus = (weights: Float64Array, topP: number): void => {
  const wanted = topP * weights.reduce((sum, weight) => sum + weight, 0);
  const order = [...weights.keys()].sort((a, b) => (weights[b] as number) - (weights[a] as number) || a - b);
  let held = 0;
  for (const output of order) {
    if (held >= wanted) weights[output] = 0;
    else held += weights[output] as number;
  }
};

/**
 * Samples an output by its probability, by one uniform: temperature first, then the `topK` likeliest, then of
 * these the nucleus (Holtzman, Buys, Du, Forbes, Choi: The curious case of neural text degeneration; ICLR
 * 2020).
 */
export const sampleOutput = (
  logs: Float64Array,
  { temperature, topK, topP }: Pick<PromptSampling, 'temperature' | 'topK' | 'topP'>,
  uniform: number,
): number => {
  let highest = Number.NEGATIVE_INFINITY;
  for (const log of logs) highest = Math.max(highest, log);
  const weights = new Float64Array(logs.length);
  for (let i = 0; i < logs.length; i++) {
    const log = logs[i] as number;
    if (log !== Number.NEGATIVE_INFINITY) weights[i] = Math.exp((log - highest) / temperature);
  }
  if (topK !== undefined && topK < weights.length) {
    const kept = new Set(likeliest(logs, topK));
    for (let output = 0; output < weights.length; output++) if (!kept.has(output)) weights[output] = 0;
  }
  if (topP !== undefined && topP < 1) keepNucleus(weights, topP);
  let sum = 0;
  for (const weight of weights) sum += weight;
  let left = uniform * sum;
  for (let output = 0; output < weights.length; output++) {
    left -= weights[output] as number;
    if (left < 0) return output;
  }
  return weights.findLastIndex((weight) => weight > 0);
};
