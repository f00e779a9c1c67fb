/**
 * The visit-level module of HALO (Theodorou, Xiao, Sun, Nat Commun 14, 5305, 2023): a GPT-2 decoder over
 * visits. A visit's set of tokens is embedded as the sum of its tokens' rows. Its rows are the distinct
 * histories of a batch. H histories, E embedding, W width.
 */

import {
  type Attention,
  type AttentionTrace,
  attendNext,
  attention,
  attentionBackward,
  freeCache,
  type KeysValues,
  type RowGrid,
  selectCache,
} from '../../../nn/layers/attention.ts';
import type { Drop } from '../../../nn/layers/dropout.ts';
import {
  type Backward,
  deliver,
  type Forward,
  type GeluTrace,
  type Gradients,
  gelu,
  geluBackward,
  type Linear,
  layerNorm,
  layerNormBackward,
  linear,
  linearBackward,
  type Norm,
  type NormTrace,
} from '../../../nn/layers/layers.ts';
import { freeTrace, tidyTrace } from '../../../nn/layers/trace.ts';
import { embedSets } from '../../../nn/networks/set-sequences.ts';
import type { Ops, Tensor, Variable } from '../../../nn/ops/ops.ts';
import type { Architecture } from './architecture.ts';
import { type Batch, gridOf } from './batch.ts';
import { blockName } from './weight-layout.ts';

export interface TransformerBlock {
  attentionNorm: Norm;
  attention: Attention;
  feedNorm: Norm;
  expand: Linear; // E → 4E
  contract: Linear; // 4E → E
}

export interface Transformer {
  tokens: Variable; // [W, E]
  positions: Variable; // [positions, E]
  blocks: TransformerBlock[];
  finalNorm: Norm;
}

/** The transformer's parameters by their names in the reference. */
export const transformerOf = (
  { layers, heads }: Architecture,
  find: (name: string) => Variable,
): Transformer => {
  const pair = (name: string) => ({ weight: find(`${name}.weight`), bias: find(`${name}.bias`) });
  return {
    tokens: find('transformer.vis_embed_mat.weight'),
    positions: find('transformer.pos_embed_mat.weight'),
    blocks: Array.from({ length: layers }, (_, layer) => ({
      attentionNorm: pair(blockName(layer, 'ln_1')),
      attention: {
        heads,
        project: pair(blockName(layer, 'attn.c_attn')),
        output: pair(blockName(layer, 'attn.c_proj')),
      },
      feedNorm: pair(blockName(layer, 'ln_2')),
      expand: pair(blockName(layer, 'mlp.c_fc')),
      contract: pair(blockName(layer, 'mlp.c_proj')),
    })),
    finalNorm: pair('transformer.ln_f'),
  };
};

/** The input of a batch on the device. */
export interface DeviceInputs {
  tokens: Tensor; // [tokens] int
  rows: Tensor; // [tokens] int, ascending
  positions: Tensor; // [H] int
  ownRow: Tensor; // [H] 0 … H-1
  grid: RowGrid;
}

/** A batch's histories as the transformer reads them; of the open scope. */
export const inputsOf = (ops: Ops, batch: Batch): DeviceInputs => ({
  tokens: ops.uploadIndices(batch.inputs.tokens),
  rows: ops.uploadIndices(batch.inputs.rows),
  positions: ops.uploadIndices(batch.positions),
  ownRow: ops.uploadIndices(Int32Array.from(batch.positions.keys())),
  grid: gridOf(ops, batch),
});

interface BlockTrace {
  attentionNorm: NormTrace;
  attention: AttentionTrace;
  feedNorm: NormTrace;
  gelu: GeluTrace;
}
export interface TransformerTrace {
  /** Of the embedded sets [H, E]; none where nothing is dropped. */
  mask: Tensor | undefined;
  blocks: BlockTrace[];
  finalNorm: NormTrace;
}

/** [H, E] → [H, E], in `out`. */
const blockForward = (
  ops: Ops,
  block: TransformerBlock,
  grid: RowGrid,
  x: Tensor,
): BlockTrace & { out: Tensor } => {
  const attentionNorm = layerNorm(ops, block.attentionNorm, x);
  const seen = attention(ops, block.attention, grid, attentionNorm.out);
  const middle = ops.add(x, seen.out); // [H, E]
  const feedNorm = layerNorm(ops, block.feedNorm, middle);
  const activated = gelu(ops, linear(ops, block.expand, feedNorm.out)); // [H, 4E]
  const out = ops.add(middle, linear(ops, block.contract, activated.out)); // [H, E]
  return { attentionNorm, attention: seen, feedNorm, gelu: activated, out };
};

/** [H] sets → [H, E] histories, in `finalNorm.out`. */
export const transformerForward = async (
  { ops, pace }: Forward,
  model: Transformer,
  inputs: DeviceInputs,
  drop?: Drop,
): Promise<TransformerTrace> => {
  const rows = inputs.positions.shape[0] as number;
  const embedded = ops.segmentSum(model.tokens, inputs.tokens, inputs.rows, rows); // [H, E]
  const mask = drop?.(embedded.shape);
  const read = mask ? ops.multiply(embedded, mask) : embedded;
  let x = ops.add(read, ops.gather(model.positions, inputs.positions)); // [H, E]
  const blocks: BlockTrace[] = [];
  for (const block of model.blocks) {
    const input = x;
    const { out, ...trace } = tidyTrace(ops, () => blockForward(ops, block, inputs.grid, input));
    x = out;
    blocks.push(trace);
    await pace.rest();
  }
  return { mask, blocks, finalNorm: layerNorm(ops, model.finalNorm, x) };
};

const blockBackward = (
  pass: Gradients,
  block: TransformerBlock,
  trace: BlockTrace,
  grid: RowGrid,
  dx: Tensor,
): Tensor => {
  const { ops } = pass;
  const dActivated = linearBackward(pass, block.contract, trace.gelu.out, dx); // [H, 4E]
  const dExpanded = geluBackward(ops, trace.gelu, dActivated);
  const dFeed = linearBackward(pass, block.expand, trace.feedNorm.out, dExpanded); // [H, E]
  const dMiddle = ops.add(dx, layerNormBackward(pass, block.feedNorm, trace.feedNorm, dFeed));
  const dSeen = attentionBackward(pass, block.attention, grid, trace.attention, dMiddle);
  return ops.add(dMiddle, layerNormBackward(pass, block.attentionNorm, trace.attentionNorm, dSeen));
};

/** dHistories [H, E] → updates of every parameter. */
export const transformerBackward = async (
  pass: Backward,
  model: Transformer,
  inputs: DeviceInputs,
  trace: TransformerTrace,
  dHistories: Tensor,
): Promise<void> => {
  const { ops, pace } = pass;
  let dx = layerNormBackward(pass, model.finalNorm, trace.finalNorm, dHistories);
  for (const [layer, block] of [...model.blocks.entries()].reverse()) {
    const blockTrace = trace.blocks[layer] as BlockTrace;
    const above = dx;
    dx = ops.tidy(() => blockBackward(pass, block, blockTrace, inputs.grid, above));
    freeTrace(ops, blockTrace);
    await pace.rest();
  }
  const [positions] = model.positions.shape as [number];
  const [width] = model.tokens.shape as [number];
  const dPositions = ops.segmentSumGradient(dx, inputs.positions, inputs.ownRow, positions);
  deliver(pass, model.positions, dPositions);
  const dEmbedded = trace.mask ? ops.multiply(dx, trace.mask) : dx;
  deliver(pass, model.tokens, ops.segmentSumGradient(dEmbedded, inputs.tokens, inputs.rows, width));
};

/**
 * One position further, when sampling: [N] sets → [N, E] histories, of the open scope, and each layer's keys
 * and values, the caller's; those of before are freed.
 */
export const transformerNext = async (
  { ops, pace }: Forward,
  model: Transformer,
  sets: readonly ArrayLike<number>[],
  position: number,
  past: readonly KeysValues[] = [],
): Promise<{ histories: Tensor; caches: KeysValues[] }> => {
  const [, embedding] = model.positions.shape as [number, number];
  const place = ops.slice(model.positions, [position, 0], [1, embedding]); // [1, E]
  let x = ops.add(embedSets(ops, model.tokens, sets), place);
  const caches: KeysValues[] = [];
  for (const [layer, block] of model.blocks.entries()) {
    const input = x;
    x = ops.tidy(() => {
      const normal = layerNorm(ops, block.attentionNorm, input).out;
      const seen = attendNext(ops, block.attention, normal, past[layer]);
      caches.push(seen.cache);
      const middle = ops.add(input, seen.out);
      const bent = gelu(ops, linear(ops, block.expand, layerNorm(ops, block.feedNorm, middle).out)).out;
      return ops.add(middle, linear(ops, block.contract, bent));
    });
    await pace.rest();
  }
  return { histories: layerNorm(ops, model.finalNorm, x).out, caches };
};

/** The keys and values of these patients; the old ones are freed. */
export const selectCaches = (
  ops: Ops,
  caches: readonly KeysValues[],
  patients: readonly number[],
): KeysValues[] =>
  ops.scope(() => {
    const chosen = ops.uploadIndices(Int32Array.from(patients));
    return caches.map((cache) => selectCache(ops, cache, chosen));
  });

export const freeCaches = (ops: Ops, caches: readonly KeysValues[]): void => {
  for (const cache of caches) freeCache(ops, cache);
};
