/**
 * Encoder and decoder as a whole, forward and backward, block by block. Rows begin in both alike: prompt rows
 * and token embeddings, plus learned positions, normalized. R rows of a side, M of the encoder, E width, T
 * tokens of the shared table.
 */

import type { Drop } from '../../../nn/layers/dropout.ts';
import {
  type Backward,
  deliver,
  type Forward,
  type Gradients,
  layerNorm,
  layerNormBackward,
  type Norm,
  type NormTrace,
} from '../../../nn/layers/layers.ts';
import { freeTrace, tidyTrace } from '../../../nn/layers/trace.ts';
import type { Ops, Tensor, Variable } from '../../../nn/ops/ops.ts';
import type { PromptArchitecture } from './architecture.ts';
import {
  type DecoderBlock,
  type DecoderTrace,
  decoderBlock,
  decoderBlockBackward,
  decoderBlocksOf,
  type EncoderBlock,
  type EncoderTrace,
  encoderBlock,
  encoderBlocksOf,
  type Find,
  feedForwardBackward,
  pairOf,
  selfBackward,
} from './blocks.ts';
import {
  type PromptInputs,
  type PromptLayer,
  type PromptTrace,
  promptBackward,
  promptForward,
  promptLayerOf,
} from './prompts.ts';
import type { SideRows, SpanRows } from './side-rows.ts';
import type { Side } from './weight-layout.ts';

/** What a side's rows begin with. */
export interface EmbeddingLayer {
  tokens: Variable; // [T, E], one table for both sides
  positions: Variable; // [positions + 2, E]
  norm: Norm;
}

/** By the names in the reference. */
const embeddingLayerOf = (side: Side, find: Find): EmbeddingLayer => ({
  tokens: find('model.shared.weight'),
  positions: find(`model.${side}.embed_positions.weight`),
  norm: pairOf(find, `model.${side}.layernorm_embedding`),
});

interface EmbeddingTrace {
  norm: NormTrace;
  mask: Tensor | undefined;
  out: Tensor; // [R, E]
}

/** `prompts` are the first rows, where there are any. */
const embed = (
  ops: Ops,
  layer: EmbeddingLayer,
  rows: SideRows,
  prompts: Tensor | undefined,
  drop?: Drop,
): EmbeddingTrace => {
  const parts = [
    ...(prompts ? [prompts] : []),
    ...(rows.tokens.shape[0] === 0 ? [] : [ops.gather(layer.tokens, rows.tokens)]),
  ];
  const placed = ops.add(ops.concat(parts, 0), ops.gather(layer.positions, rows.positions));
  const norm = layerNorm(ops, layer.norm, placed);
  const mask = drop?.(norm.out.shape);
  return { norm, mask, out: mask ? ops.multiply(norm.out, mask) : norm.out };
};

/** dy [R, E] → gradient of the rows before positions were added [R, E]: prompts first, then tokens. */
const embedBackward = (
  pass: Gradients,
  layer: EmbeddingLayer,
  rows: SideRows,
  { norm, mask }: EmbeddingTrace,
  dy: Tensor,
): Tensor => {
  const { ops } = pass;
  const dNormal = mask ? ops.multiply(dy, mask) : dy;
  const d = layerNormBackward(pass, layer.norm, norm, dNormal);
  const own = ops.uploadIndices(Int32Array.from({ length: rows.rows }, (_, i) => i));
  const [count] = layer.positions.shape as [number];
  deliver(pass, layer.positions, ops.segmentSumGradient(d, rows.positions, own, count));
  return d;
};

/** A side's parameters. */
export interface SideModel<Block> {
  embedding: EmbeddingLayer;
  prompts: PromptLayer;
  blocks: Block[];
}
export type Encoder = SideModel<EncoderBlock>;
export type Decoder = SideModel<DecoderBlock>;

/** The encoder's parameters by their names in the reference; `rounded` blocks multiply in bfloat16. */
export const encoderOf = (architecture: PromptArchitecture, find: Find, rounded = false): Encoder => ({
  embedding: embeddingLayerOf('encoder', find),
  prompts: promptLayerOf(architecture, 'encoder', find),
  blocks: encoderBlocksOf(architecture, find, rounded),
});

/** The decoder's parameters by their names in the reference; `rounded` blocks multiply in bfloat16. */
export const decoderOf = (architecture: PromptArchitecture, find: Find, rounded = false): Decoder => ({
  embedding: embeddingLayerOf('decoder', find),
  prompts: promptLayerOf(architecture, 'decoder', find),
  blocks: decoderBlocksOf(architecture, find, rounded),
});

/** What the backward of a side reads, and the rows that its last block made. */
export interface SideTrace<BlockTrace> {
  prompts: PromptTrace;
  embedding: EmbeddingTrace;
  blocks: BlockTrace[];
  out: Tensor; // [R, E]
}

/** How a forward pass runs. */
export interface ForwardPass extends Forward {
  drop?: Drop | undefined;
  /** No backward follows: blocks leave no traces. */
  forget?: boolean;
}

interface BlockOutput {
  feed: { residual: { norm: { out: Tensor } } };
}

/** Rows through all blocks, one after the other. */
const passBlocks = async <Block, BlockTrace extends BlockOutput>(
  { ops, pace, forget = false }: ForwardPass,
  blocks: readonly Block[],
  first: Tensor,
  run: (block: Block, input: Tensor) => BlockTrace,
): Promise<{ blocks: BlockTrace[]; out: Tensor }> => {
  const traces: BlockTrace[] = [];
  let out = first;
  for (const block of blocks) {
    const input = out;
    if (forget) {
      out = ops.tidy(() => run(block, input).feed.residual.norm.out);
      ops.free(input);
    } else {
      const trace = tidyTrace(ops, () => run(block, input));
      traces.push(trace);
      out = trace.feed.residual.norm.out;
    }
    await pace.rest();
  }
  return { blocks: traces, out };
};

/** The rows with which a side begins. */
const embedSide = (
  { ops, drop }: ForwardPass,
  { prompts: layer, embedding }: SideModel<unknown>,
  rows: SideRows,
  inputs: PromptInputs,
): { prompts: PromptTrace; embedding: EmbeddingTrace } =>
  tidyTrace(ops, () => {
    const { trace, out } = promptForward(ops, layer, inputs);
    return { prompts: trace, embedding: embed(ops, embedding, rows, out, drop) };
  });

/** Contexts → rows of the encoder. */
export const encodeForward = async (
  pass: ForwardPass,
  encoder: Encoder,
  rows: SideRows,
  inputs: PromptInputs,
): Promise<SideTrace<EncoderTrace>> => {
  const { ops, drop } = pass;
  const begun = embedSide(pass, encoder, rows, inputs);
  const run = (block: EncoderBlock, x: Tensor) => encoderBlock(ops, block, rows.grid, x, drop);
  return { ...begun, ...(await passBlocks(pass, encoder.blocks, begun.embedding.out, run)) };
};

/** Spans and the encoder's rows → rows of the decoder. */
export const decodeForward = async (
  pass: ForwardPass,
  decoder: Decoder,
  rows: SpanRows,
  inputs: PromptInputs,
  encoded: Tensor,
): Promise<SideTrace<DecoderTrace>> => {
  const { ops, drop } = pass;
  const begun = embedSide(pass, decoder, rows, inputs);
  const run = (block: DecoderBlock, x: Tensor) => decoderBlock(ops, block, rows, encoded, x, drop);
  return { ...begun, ...(await passBlocks(pass, decoder.blocks, begun.embedding.out, run)) };
};

/** Gradient of the rows with which a side begins; gives what the tokens' embeddings get, [tokens, E]. */
const embedSideBackward = (
  pass: Gradients,
  model: SideModel<unknown>,
  rows: SideRows,
  inputs: PromptInputs,
  trace: SideTrace<unknown>,
  dy: Tensor,
): Tensor =>
  pass.ops.tidy(() => {
    const { ops } = pass;
    const d = embedBackward(pass, model.embedding, rows, trace.embedding, dy);
    const [count, width] = d.shape as [number, number];
    const tokens = rows.tokens.shape[0] as number;
    const prompts = count - tokens;
    if (prompts === 0) return d;
    const dRows = ops.slice(d, [0, 0], [prompts, width]);
    promptBackward(pass, model.prompts, inputs, trace.prompts, dRows);
    return ops.slice(d, [prompts, 0], [tokens, width]);
  });

/**
 * dOut [R, E] → gradients of the tokens' embeddings and of the encoder's rows; traces are freed on the way.
 */
export const decodeBackward = async (
  pass: Backward,
  decoder: Decoder,
  rows: SpanRows,
  inputs: PromptInputs,
  encoded: Tensor,
  trace: SideTrace<DecoderTrace>,
  dOut: Tensor,
): Promise<{ dTokens: Tensor; dEncoded: Tensor }> => {
  const { ops, pace } = pass;
  let d = dOut;
  let dEncoded: Tensor | undefined;
  for (const [layer, block] of [...decoder.blocks.entries()].reverse()) {
    const blockTrace = trace.blocks[layer] as DecoderTrace;
    const above = d;
    const gathered: Tensor | undefined = dEncoded;
    [d, dEncoded] = ops.tidy(() => {
      const [dx, own] = decoderBlockBackward(pass, block, rows, encoded, blockTrace, above);
      return [dx, gathered ? ops.add(gathered, own) : own] as const;
    });
    freeTrace(ops, [blockTrace, above, gathered]);
    await pace.rest();
  }
  const dTokens = embedSideBackward(pass, decoder, rows, inputs, trace, d);
  return { dTokens, dEncoded: dEncoded ?? ops.scale(encoded, 0) };
};

/** dOut [R, E] → gradient of the tokens' embeddings; traces are freed on the way. */
export const encodeBackward = async (
  pass: Backward,
  encoder: Encoder,
  rows: SideRows,
  inputs: PromptInputs,
  trace: SideTrace<EncoderTrace>,
  dOut: Tensor,
): Promise<Tensor> => {
  const { ops, pace } = pass;
  let d = dOut;
  for (const [layer, block] of [...encoder.blocks.entries()].reverse()) {
    const blockTrace = trace.blocks[layer] as EncoderTrace;
    const above = d;
    // In two turns of the event loop: contexts have most of the rows.
    const fed = ops.tidy(() => feedForwardBackward(pass, block.feed, blockTrace.feed, above));
    freeTrace(ops, above);
    await pace.rest();
    d = ops.tidy(() => selfBackward(pass, block, rows.grid, blockTrace, fed));
    freeTrace(ops, [blockTrace, fed]);
    await pace.rest();
  }
  return embedSideBackward(pass, encoder, rows, inputs, trace, d);
};
