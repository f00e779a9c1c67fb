/**
 * BART's blocks (Lewis et al., BART, ACL 2020; as transformers' modeling_bart.py): each sublayer's output is
 * added to its input, then normalized. Parameters are found by the names that the reference gives them. R
 * rows, M rows of the encoder, E width, F feed.
 */

import {
  type Attention,
  type AttentionTrace,
  attention,
  attentionBackward,
  type CrossAttention,
  type CrossGrid,
  crossAttention,
  crossAttentionBackward,
  crossKeysValues,
  type RowGrid,
} from '../../../nn/layers/attention.ts';
import type { Drop } from '../../../nn/layers/dropout.ts';
import {
  type ExactGeluTrace,
  exactGelu,
  exactGeluBackward,
  type Gradients,
  type Linear,
  layerNorm,
  layerNormBackward,
  linear,
  linearBackward,
  type Norm,
  type NormTrace,
} from '../../../nn/layers/layers.ts';
import type { Ops, Tensor, Variable } from '../../../nn/ops/ops.ts';
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

/** Gives a parameter by its name in the reference. */
export type Find = (name: string) => Variable;

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
        keysValues: map('encoder_attn.remember'),
        output: map('encoder_attn.out_proj'),
      },
      crossNorm: at('encoder_attn_layer_norm'),
    };
  });

interface ResidualTrace {
  norm: NormTrace;
  mask: Tensor | undefined;
}

/** LayerNorm(x + y), y partly dropped in training. */
const residual = (ops: Ops, norm: Norm, x: Tensor, y: Tensor, drop?: Drop): ResidualTrace => {
  const mask = drop?.(y.shape);
  return { norm: layerNorm(ops, norm, ops.add(x, mask ? ops.multiply(y, mask) : y)), mask };
};

/** dy → gradients of x and of y */
const residualBackward = (
  pass: Gradients,
  norm: Norm,
  trace: ResidualTrace,
  dy: Tensor,
): { dx: Tensor; dBranch: Tensor } => {
  const dx = layerNormBackward(pass, norm, trace.norm, dy);
  return { dx, dBranch: trace.mask ? pass.ops.multiply(dx, trace.mask) : dx };
};

interface FeedTrace {
  input: Tensor; // [R, E]
  gelu: ExactGeluTrace; // [R, F]
  residual: ResidualTrace;
}

const feedForward = (ops: Ops, layer: FeedForward, input: Tensor, drop?: Drop): FeedTrace => {
  const gelu = exactGelu(ops, linear(ops, layer.expand, input));
  const out = linear(ops, layer.contract, gelu.out);
  return { input, gelu, residual: residual(ops, layer.norm, input, out, drop) };
};

/** dy [R, E] → dx [R, E], of a block's last third. */
export const feedForwardBackward = (
  pass: Gradients,
  layer: FeedForward,
  trace: FeedTrace,
  dy: Tensor,
): Tensor => {
  const { ops } = pass;
  const { dx, dBranch } = residualBackward(pass, layer.norm, trace.residual, dy);
  const dBent = linearBackward(pass, layer.contract, trace.gelu.out, dBranch);
  const dExpanded = exactGeluBackward(ops, trace.gelu, dBent);
  return ops.add(dx, linearBackward(pass, layer.expand, trace.input, dExpanded));
};

/** What a block's feed-forward part makes of rows, where no backward follows. */
export const feedRows = (ops: Ops, layer: FeedForward, rows: Tensor): Tensor =>
  feedForward(ops, layer, rows).residual.norm.out;

/** LayerNorm(x + y), where no backward follows. */
export const addRows = (ops: Ops, norm: Norm, x: Tensor, y: Tensor): Tensor =>
  residual(ops, norm, x, y).norm.out;

export interface EncoderTrace {
  attention: AttentionTrace;
  attended: ResidualTrace;
  feed: FeedTrace;
}

/** [R, E] → [R, E], in `feed.residual.norm.out`; a decoder's first and last third are an encoder block's. */
export const encoderBlock = (
  ops: Ops,
  block: EncoderBlock,
  grid: RowGrid,
  x: Tensor,
  drop?: Drop,
): EncoderTrace => {
  const seen = attention(ops, block.attention, grid, x);
  const attended = residual(ops, block.attentionNorm, x, seen.out, drop);
  return { attention: seen, attended, feed: feedForward(ops, block.feed, attended.norm.out, drop) };
};

/** dy [R, E] → dx [R, E], of a block's first third: with the last, all of an encoder's. */
export const selfBackward = (
  pass: Gradients,
  block: EncoderBlock,
  grid: RowGrid,
  trace: Pick<EncoderTrace, 'attention' | 'attended'>,
  dy: Tensor,
): Tensor => {
  const { dx, dBranch } = residualBackward(pass, block.attentionNorm, trace.attended, dy);
  return pass.ops.add(dx, attentionBackward(pass, block.attention, grid, trace.attention, dBranch));
};

export interface DecoderTrace extends EncoderTrace {
  cross: AttentionTrace;
  crossed: ResidualTrace;
}

/** [R, E] → [R, E], in `feed.residual.norm.out`; `encoded` [M, E] are the encoder's rows. */
export const decoderBlock = (
  ops: Ops,
  block: DecoderBlock,
  { grid, cross }: { grid: RowGrid; cross: CrossGrid },
  encoded: Tensor,
  x: Tensor,
  drop?: Drop,
): DecoderTrace => {
  const seen = attention(ops, block.attention, grid, x);
  const attended = residual(ops, block.attentionNorm, x, seen.out, drop);
  const keysValues = crossKeysValues(ops, block.cross, cross.keys, encoded);
  const read = crossAttention(ops, block.cross, cross, keysValues, attended.norm.out);
  const crossed = residual(ops, block.crossNorm, attended.norm.out, read.out, drop);
  const feed = feedForward(ops, block.feed, crossed.norm.out, drop);
  return { attention: seen, attended, cross: read, crossed, feed };
};

/** dy [R, E] → dx [R, E] and the gradient of the encoder's rows [M, E] */
export const decoderBlockBackward = (
  pass: Gradients,
  block: DecoderBlock,
  { grid, cross }: { grid: RowGrid; cross: CrossGrid },
  encoded: Tensor,
  trace: DecoderTrace,
  dy: Tensor,
): [dx: Tensor, dEncoded: Tensor] => {
  const dCrossed = feedForwardBackward(pass, block.feed, trace.feed, dy);
  const { dx, dBranch } = residualBackward(pass, block.crossNorm, trace.crossed, dCrossed);
  const read = crossAttentionBackward(pass, block.cross, cross, trace.cross, encoded, dBranch);
  const dAttended = pass.ops.add(dx, read.dInput);
  return [selfBackward(pass, block, grid, trace, dAttended), read.dSource];
};
