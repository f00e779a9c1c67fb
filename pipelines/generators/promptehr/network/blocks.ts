/**
 * BART's blocks (Lewis et al., BART, ACL 2020; as transformers' modeling_bart.py): each sublayer's output is added to
 * its input, then normalized. R rows, M rows of the encoder, E width, F feed.
 */

import {
  type AttentionTrace,
  attention,
  attentionBackward,
  type RowGrid,
} from '../../../nn/layers/attention.ts';
import {
  type CrossGrid,
  type CrossTrace,
  crossAttention,
  crossAttentionBackward,
  remember,
} from '../../../nn/layers/cross-attention.ts';
import {
  type ExactGeluTrace,
  exactGelu,
  exactGeluBackward,
  layerNorm,
  layerNormBackward,
  linear,
  linearBackward,
  type Norm,
  type NormTrace,
  type Update,
} from '../../../nn/layers/layers.ts';
import type { Ops, Tensor } from '../../../nn/ops/ops.ts';
import type { DecoderBlock, EncoderBlock, FeedForward } from './block-parameters.ts';

/** A mask of zeros and 1 / (1 − rate), of a shape. */
export type Drop = (shape: readonly number[]) => Tensor;

interface ResidualTrace {
  norm: NormTrace;
  mask: Tensor | undefined;
}

/** LayerNorm(x + y), y partly dropped where training says so. */
const residual = (ops: Ops, norm: Norm, x: Tensor, y: Tensor, drop?: Drop): ResidualTrace => {
  const mask = drop?.(y.shape);
  return { norm: layerNorm(ops, norm, ops.add(x, mask ? ops.multiply(y, mask) : y)), mask };
};

/** dy → gradients of x and of y */
const residualBackward = (
  ops: Ops,
  norm: Norm,
  trace: ResidualTrace,
  dy: Tensor,
  update: Update,
): { dx: Tensor; dBranch: Tensor } => {
  const dx = layerNormBackward(ops, norm, trace.norm, dy, update);
  return { dx, dBranch: trace.mask ? ops.multiply(dx, trace.mask) : dx };
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
  ops: Ops,
  layer: FeedForward,
  trace: FeedTrace,
  dy: Tensor,
  update: Update,
): Tensor => {
  const { dx, dBranch } = residualBackward(ops, layer.norm, trace.residual, dy, update);
  const dBent = linearBackward(ops, layer.contract, trace.gelu.out, dBranch, update);
  const dExpanded = exactGeluBackward(ops, trace.gelu, dBent);
  return ops.add(dx, linearBackward(ops, layer.expand, trace.input, dExpanded, update));
};

/** What a block's feed-forward part makes of rows; nothing is remembered. */
export const feedRows = (ops: Ops, layer: FeedForward, rows: Tensor): Tensor =>
  feedForward(ops, layer, rows).residual.norm.out;

/** LayerNorm(x + y); nothing is remembered. */
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
  ops: Ops,
  block: EncoderBlock,
  grid: RowGrid,
  trace: Pick<EncoderTrace, 'attention' | 'attended'>,
  dy: Tensor,
  update: Update,
): Tensor => {
  const { dx, dBranch } = residualBackward(ops, block.attentionNorm, trace.attended, dy, update);
  return ops.add(dx, attentionBackward(ops, block.attention, grid, trace.attention, dBranch, update));
};

export interface DecoderTrace extends EncoderTrace {
  cross: CrossTrace;
  crossed: ResidualTrace;
}

/** [R, E] → [R, E], in `feed.residual.norm.out`; `memory` [M, E] is what the encoder made. */
export const decoderBlock = (
  ops: Ops,
  block: DecoderBlock,
  { grid, cross }: { grid: RowGrid; cross: CrossGrid },
  memory: Tensor,
  x: Tensor,
  drop?: Drop,
): DecoderTrace => {
  const seen = attention(ops, block.attention, grid, x);
  const attended = residual(ops, block.attentionNorm, x, seen.out, drop);
  const remembered = remember(ops, block.cross, cross.keys, memory);
  const read = crossAttention(ops, block.cross, cross, remembered, attended.norm.out);
  const crossed = residual(ops, block.crossNorm, attended.norm.out, read.out, drop);
  const feed = feedForward(ops, block.feed, crossed.norm.out, drop);
  return { attention: seen, attended, cross: read, crossed, feed };
};

/** dy [R, E] → dx [R, E] and the gradient of the memory [M, E] */
export const decoderBlockBackward = (
  ops: Ops,
  block: DecoderBlock,
  { grid, cross }: { grid: RowGrid; cross: CrossGrid },
  memory: Tensor,
  trace: DecoderTrace,
  dy: Tensor,
  update: Update,
): [dx: Tensor, dMemory: Tensor] => {
  const dCrossed = feedForwardBackward(ops, block.feed, trace.feed, dy, update);
  const { dx, dBranch } = residualBackward(ops, block.crossNorm, trace.crossed, dCrossed, update);
  const read = crossAttentionBackward(ops, block.cross, cross, trace.cross, memory, dBranch, update);
  const dAttended = ops.add(dx, read.dInput);
  return [selfBackward(ops, block, grid, trace, dAttended, update), read.dMemory];
};
