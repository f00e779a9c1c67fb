/** What BART's blocks are made of, found by the names that the reference gives it. E width, F feed. */
import type { Attention } from '../../../nn/layers/attention.ts';
import type { CrossAttention } from '../../../nn/layers/cross-attention.ts';
import type { Linear, Norm } from '../../../nn/layers/layers.ts';
import type { Variable } from '../../../nn/ops/ops.ts';
import type { PromptArchitecture } from './architecture.ts';
import { layerName, type Side } from './weight-layout.ts';

export interface FeedForward {
  expand: Linear; // E → F
  contract: Linear; // F → E
  norm: Norm;
}
export interface EncoderBlock {
  attention: Attention;
  attentionNorm: Norm;
  feed: FeedForward;
}
export interface DecoderBlock extends EncoderBlock {
  cross: CrossAttention;
  crossNorm: Norm;
}

type Find = (name: string) => Variable;

/** The parameters under a name: a linear layer or a norm. */
export const pairOf = (find: Find, name: string): Linear & Norm => ({
  weight: find(`${name}.weight`),
  bias: find(`${name}.bias`),
});

const blockOf = (
  architecture: PromptArchitecture,
  side: Side,
  layer: number,
  find: Find,
  rounded: boolean,
): EncoderBlock => {
  const at = (tensor: string) => pairOf(find, layerName(side, layer, tensor));
  const map = (tensor: string): Linear => ({ ...at(tensor), rounded });
  return {
    attention: {
      heads: architecture.attentionHeads,
      project: map('self_attn.project'),
      output: map('self_attn.out_proj'),
    },
    attentionNorm: at('self_attn_layer_norm'),
    feed: { expand: map('fc1'), contract: map('fc2'), norm: at('final_layer_norm') },
  };
};

/** The encoder's blocks by their names in the reference; `rounded` ones multiply in bfloat16. */
export const encoderBlocksOf = (
  architecture: PromptArchitecture,
  find: Find,
  rounded: boolean,
): EncoderBlock[] =>
  Array.from({ length: architecture.encoderLayers }, (_, layer) =>
    blockOf(architecture, 'encoder', layer, find, rounded),
  );

/** The decoder's blocks by their names in the reference; `rounded` ones multiply in bfloat16. */
export const decoderBlocksOf = (
  architecture: PromptArchitecture,
  find: Find,
  rounded: boolean,
): DecoderBlock[] =>
  Array.from({ length: architecture.decoderLayers }, (_, layer) => {
    const at = (tensor: string) => pairOf(find, layerName('decoder', layer, tensor));
    const map = (tensor: string): Linear => ({ ...at(tensor), rounded });
    return {
      ...blockOf(architecture, 'decoder', layer, find, rounded),
      cross: {
        heads: architecture.attentionHeads,
        query: map('encoder_attn.q_proj'),
        remember: map('encoder_attn.remember'),
        output: map('encoder_attn.out_proj'),
      },
      crossNorm: at('encoder_attn_layer_norm'),
    };
  });
