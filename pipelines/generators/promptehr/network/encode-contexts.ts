/**
 * What the decoder needs of contexts that were read. B contexts, T rows of the longest, P prompt rows, H
 * heads.
 */

import { type AttentionTrace, crossKeysValues, type KeysValues } from '../../../nn/layers/attention.ts';
import type { Forward } from '../../../nn/layers/layers.ts';
import type { Ops, Tensor } from '../../../nn/ops/ops.ts';
import { type PromptArchitecture, promptRows } from './architecture.ts';
import { type Decoder, decodeForward, type Encoder, encodeForward } from './encoder-decoder.ts';
import { promptInputs } from './prompts.ts';
import { type Prompts, packSequences, type Sequences, sequenceCount } from './sequences.ts';
import { contextRows, spanRows } from './side-rows.ts';

/** What the decoder needs of B contexts, kept on the device until disposed of. */
export interface EncodedContexts {
  /** B */
  readonly contexts: number;
  dispose(): void;
}

/** The same as the decoder reads it. */
export interface DecoderContexts extends EncodedContexts {
  /** Keys and values of each layer of the decoder, [B, H, T, D]. */
  readonly layers: readonly KeysValues[];
  /** [B, 1, 1, T] */
  readonly mask: Tensor;
  /** What each layer's self-attention keeps of the prompt rows, [B, H, P, D]; none without prompts. */
  readonly prompts: readonly KeysValues[];
}

/** The network that reads. */
interface Reader extends Forward {
  architecture: PromptArchitecture;
  encoder: Encoder;
  decoder: Decoder;
}

/**
 * Reads contexts: the encoder, then the decoder's prompt rows, which are the same for all spans of a context.
 */
export const encodeContexts = (
  network: Reader,
  contexts: Sequences,
  prompts: Prompts,
): Promise<DecoderContexts> => {
  const { ops, architecture, encoder, decoder, pace } = network;
  return ops.scope(async () => {
    const count = sequenceCount(contexts);
    const rows = contextRows(ops, architecture, contexts);
    const inputs = promptInputs(ops, architecture, count, prompts);
    const { out } = await encodeForward({ ops, pace, forget: true }, encoder, rows, inputs);
    const mask = rows.grid.masks[0] as Tensor;
    if (promptRows(architecture) === 0) {
      const layers: KeysValues[] = [];
      for (const { cross } of decoder.blocks) {
        layers.push(...crossKeysValues(ops, cross, rows.grid, out));
        await pace.rest();
      }
      return kept(ops, { contexts: count, layers, mask, prompts: [] });
    }
    const none = { spans: packSequences([]), sources: new Int32Array(0) };
    const spans = spanRows(ops, architecture, none, rows);
    const { blocks } = await decodeForward({ ops, pace }, decoder, spans, inputs, out);
    return kept(ops, {
      contexts: count,
      layers: blocks.map(({ cross }) => keysValuesOf(cross)),
      mask,
      prompts: blocks.map(({ attention }) => keysValuesOf(attention)),
    });
  });
};

/** Of the one group that there is. */
const keysValuesOf = ({ groups: [only] }: AttentionTrace): KeysValues => {
  const { keys, values } = only as KeysValues;
  return { keys, values };
};

const kept = (ops: Ops, encoded: Omit<DecoderContexts, 'dispose'>): DecoderContexts => {
  const tensors = [...encoded.layers, ...encoded.prompts].flatMap(({ keys, values }) => [keys, values]);
  const all = [encoded.mask, ...tensors];
  for (const tensor of all) ops.keep(tensor);
  return {
    ...encoded,
    dispose: () => {
      for (const tensor of all) ops.free(tensor);
    },
  };
};
