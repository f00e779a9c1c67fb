/** What the decoder needs of contexts that were read. B contexts, T rows of the longest, P prompt rows, H heads. */

import type { Pace } from '../../../kernel/pace.ts';
import type { AttendTrace } from '../../../nn/layers/attend.ts';
import type { KeyValueCache } from '../../../nn/layers/attention.ts';
import { type Remembered, remember } from '../../../nn/layers/cross-attention.ts';
import type { Ops, Tensor } from '../../../nn/ops/ops.ts';
import { type PromptArchitecture, promptRows } from './architecture.ts';
import type { Memory } from './encoded-contexts.ts';
import { type Decoder, decodeForward, type Encoder, encodeForward } from './encoder-decoder.ts';
import { promptInputs } from './prompts.ts';
import { type Prompts, packSequences, type Sequences, sequenceCount } from './sequences.ts';
import { contextRows, spanRows } from './side-rows.ts';

/** A memory as the decoder reads it. */
export interface EncodedMemory extends Memory {
  /** Keys and values of each layer of the decoder, [B, H, T, D]. */
  readonly layers: readonly Remembered[];
  /** [B, 1, 1, T] */
  readonly mask: Tensor;
  /** What each layer's self-attention keeps of the prompt rows, [B, H, P, D]; none without prompts. */
  readonly prompts: readonly KeyValueCache[];
}

/** The network that reads. */
interface Reader {
  ops: Ops;
  architecture: PromptArchitecture;
  encoder: Encoder;
  decoder: Decoder;
  pace: Pace;
}

/** Reads contexts: the encoder, then the decoder's prompt rows, which are the same for all spans of a context. */
export const encodeContexts = (
  network: Reader,
  contexts: Sequences,
  prompts: Prompts,
): Promise<EncodedMemory> => {
  const { ops, architecture, encoder, decoder, pace } = network;
  return ops.scope(async () => {
    const count = sequenceCount(contexts);
    const rows = contextRows(ops, architecture, contexts);
    const inputs = promptInputs(ops, architecture, count, prompts);
    const { out } = await encodeForward(ops, encoder, rows, inputs, { pace, forget: true });
    const mask = rows.grid.masks[0] as Tensor;
    if (promptRows(architecture) === 0) {
      const layers: Remembered[] = [];
      for (const { cross } of decoder.blocks) {
        layers.push(...remember(ops, cross, rows.grid, out));
        await pace.rest();
      }
      return kept(ops, { contexts: count, layers, mask, prompts: [] });
    }
    const none = { spans: packSequences([]), sources: new Int32Array(0) };
    const spans = spanRows(ops, architecture, none, rows);
    const { blocks } = await decodeForward(ops, decoder, spans, inputs, out, { pace });
    return kept(ops, {
      contexts: count,
      layers: blocks.map(({ cross }) => remembered(cross)),
      mask,
      prompts: blocks.map(({ attention }) => remembered(attention)),
    });
  });
};

/** Of the one group that there is. */
const remembered = ({ groups: [only] }: { groups: AttendTrace[] }): Remembered => {
  const { keys, values } = only as AttendTrace;
  return { keys, values };
};

const kept = (ops: Ops, memory: Omit<EncodedMemory, 'dispose'>): EncodedMemory => {
  const tensors = [...memory.layers, ...memory.prompts].flatMap(({ keys, values }) => [keys, values]);
  const all = [memory.mask, ...tensors];
  for (const tensor of all) ops.keep(tensor);
  return {
    ...memory,
    dispose: () => {
      for (const tensor of all) ops.free(tensor);
    },
  };
};
