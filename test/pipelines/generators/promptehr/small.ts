import type { PromptArchitecture } from '../../../../pipelines/generators/promptehr/network/architecture.ts';
import { PromptNetwork } from '../../../../pipelines/generators/promptehr/network/network.ts';
import {
  packSequences,
  type SpanBatch,
} from '../../../../pipelines/generators/promptehr/network/sequences.ts';
import type { Weight } from '../../../../pipelines/generators/promptehr/network/weight-layout.ts';
import { RandomSource } from '../../../../pipelines/kernel/random.ts';
import { openOps } from '../../../../pipelines/nn/ops/open-ops.ts';

/** A model of other sizes than the golden one: uneven layers, three heads of two kinds, four categorical features. */
export const small: PromptArchitecture = {
  width: 12,
  encoderLayers: 1,
  decoderLayers: 2,
  attentionHeads: 3,
  feed: 20,
  positions: 24,
  promptHidden: 5,
  tokens: 21,
  heads: [
    { name: 'dx', tokens: [7, 12, 13, 14, 15] },
    { name: 'px', tokens: [9, 16, 17] },
    { name: 'rx', tokens: [11, 18, 19, 20] },
  ],
  tied: true,
  numeric: 2,
  categories: [2, 4, 3],
};

/** Three contexts; five spans, of which three read the second context and none the third. */
export const smallBatch: SpanBatch = {
  contexts: packSequences([
    [1, 4, 6, 12, 14, 7, 5, 2],
    [1, 4, 8, 16, 9, 10, 18, 20, 11, 5, 2],
    [1, 2],
  ]),
  spans: packSequences([[6, 12, 15], [8], [10, 18, 19, 20], [8, 16, 17], [6, 13]]),
  sources: Int32Array.of(0, 1, 1, 0, 1),
  heads: Int32Array.of(0, 1, 2, 1, 0),
  targets: Int32Array.of(1, 4, 0, 0, 1, -1, 3, 0, 1, 2, 0, 2, -1),
  numeric: Float32Array.of(0.5, Number.NaN, -1.2, 2, Number.NaN, Number.NaN),
  categories: Int32Array.of(1, 3, -1, 0, -1, 2, -1, -1, -1),
};

/** The batch for a model without prompts. */
export const withoutPrompts = (batch: SpanBatch): SpanBatch => ({
  ...batch,
  numeric: new Float32Array(0),
  categories: new Int32Array(0),
});

/** Normal numbers, the same for a part whatever the others are; norms near one. */
export const drawnPart = (part: Weight, seed = 1): Float32Array => {
  const random = new RandomSource(seed, 'weights');
  const values = new Float32Array(part.shape.reduce((a, b) => a * b, 1));
  const draws = new Float64Array(values.length * 2);
  const key = [...part.name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1e9, 7);
  random.fill(draws, 0, draws.length, key);
  const center = /norm.*weight$/.test(part.name) ? 1 : 0;
  values.forEach((_, i) => {
    const [u, v] = [draws[2 * i] as number, draws[2 * i + 1] as number];
    values[i] = center + 0.3 * Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v);
  });
  return values;
};

/** A network with drawn weights, some parts changed by `change`. */
export const openSmall = async (
  architecture: PromptArchitecture,
  change: (part: Weight, values: Float32Array) => Float32Array = (_, values) => values,
): Promise<PromptNetwork> =>
  new PromptNetwork(await openOps(), architecture, (part) => ({ value: change(part, drawnPart(part)) }));

/** Largest distance of two lists of numbers; NaN where either has one. */
export const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  if (a.length !== b.length) return Number.NaN;
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const off = Math.abs((a[i] as number) - (b[i] as number));
    if (!(off <= most)) most = off;
  }
  return most;
};
