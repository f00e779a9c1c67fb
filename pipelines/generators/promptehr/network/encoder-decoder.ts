/** Encoder and decoder as a whole, forward and backward, block by block. R rows of a side, E width. */

import type { Pace } from '../../../kernel/pace.ts';
import type { Update } from '../../../nn/layers/layers.ts';
import { freeTrace, tidyTrace } from '../../../nn/layers/trace.ts';
import type { Ops, Tensor, Variable } from '../../../nn/ops/ops.ts';
import type { PromptArchitecture } from './architecture.ts';
import {
  type DecoderBlock,
  decoderBlocksOf,
  type EncoderBlock,
  encoderBlocksOf,
} from './block-parameters.ts';
import {
  type DecoderTrace,
  type Drop,
  decoderBlock,
  decoderBlockBackward,
  type EncoderTrace,
  encoderBlock,
  feedForwardBackward,
  selfBackward,
} from './blocks.ts';
import { type Stem, type StemTrace, stemBackward, stemForward, stemOf } from './embedding-layer.ts';
import {
  type PromptInputs,
  type PromptLayer,
  type PromptTrace,
  promptBackward,
  promptForward,
  promptLayerOf,
} from './prompts.ts';
import type { SideRows, SpanRows } from './side-rows.ts';

/** A side's parameters. */
export interface SideModel<Block> {
  stem: Stem;
  prompts: PromptLayer;
  blocks: Block[];
}
export type Encoder = SideModel<EncoderBlock>;
export type Decoder = SideModel<DecoderBlock>;

type Find = (name: string) => Variable;

/** The encoder's parameters by their names in the reference; `rounded` blocks multiply in bfloat16. */
export const encoderOf = (architecture: PromptArchitecture, find: Find, rounded = false): Encoder => ({
  stem: stemOf('encoder', find),
  prompts: promptLayerOf(architecture, 'encoder', find),
  blocks: encoderBlocksOf(architecture, find, rounded),
});

/** The decoder's parameters by their names in the reference; `rounded` blocks multiply in bfloat16. */
export const decoderOf = (architecture: PromptArchitecture, find: Find, rounded = false): Decoder => ({
  stem: stemOf('decoder', find),
  prompts: promptLayerOf(architecture, 'decoder', find),
  blocks: decoderBlocksOf(architecture, find, rounded),
});

/** What the backward of a side reads, and the rows that its last block made. */
export interface SideTrace<BlockTrace> {
  prompts: PromptTrace;
  stem: StemTrace;
  blocks: BlockTrace[];
  out: Tensor; // [R, E]
}

/** How a forward pass runs. */
export interface Passage {
  pace: Pace;
  drop?: Drop | undefined;
  /** No backward follows: blocks leave no traces. */
  forget?: boolean;
}

interface BlockOutput {
  feed: { residual: { norm: { out: Tensor } } };
}

/** Rows through all blocks, one after the other. */
const passBlocks = async <Block, BlockTrace extends BlockOutput>(
  ops: Ops,
  blocks: readonly Block[],
  start: Tensor,
  { pace, forget = false }: Passage,
  run: (block: Block, input: Tensor) => BlockTrace,
): Promise<{ blocks: BlockTrace[]; out: Tensor }> => {
  const traces: BlockTrace[] = [];
  let out = start;
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

const begin = (
  ops: Ops,
  { prompts: layer, stem }: SideModel<unknown>,
  rows: SideRows,
  inputs: PromptInputs,
  drop: Drop | undefined,
): { prompts: PromptTrace; stem: StemTrace } =>
  tidyTrace(ops, () => {
    const { trace, out } = promptForward(ops, layer, inputs);
    return { prompts: trace, stem: stemForward(ops, stem, rows, out, drop) };
  });

/** Contexts → rows of the encoder. */
export const encodeForward = async (
  ops: Ops,
  encoder: Encoder,
  rows: SideRows,
  inputs: PromptInputs,
  passage: Passage,
): Promise<SideTrace<EncoderTrace>> => {
  const { drop } = passage;
  const started = begin(ops, encoder, rows, inputs, drop);
  const run = (block: EncoderBlock, x: Tensor) => encoderBlock(ops, block, rows.grid, x, drop);
  return { ...started, ...(await passBlocks(ops, encoder.blocks, started.stem.out, passage, run)) };
};

/** Spans and the encoder's rows → rows of the decoder. */
export const decodeForward = async (
  ops: Ops,
  decoder: Decoder,
  rows: SpanRows,
  inputs: PromptInputs,
  memory: Tensor,
  passage: Passage,
): Promise<SideTrace<DecoderTrace>> => {
  const { drop } = passage;
  const started = begin(ops, decoder, rows, inputs, drop);
  const run = (block: DecoderBlock, x: Tensor) => decoderBlock(ops, block, rows, memory, x, drop);
  return { ...started, ...(await passBlocks(ops, decoder.blocks, started.stem.out, passage, run)) };
};

/** Gradient of the rows with which a side begins; gives what the tokens' embeddings get, [tokens, E]. */
const beginBackward = (
  ops: Ops,
  model: SideModel<unknown>,
  rows: SideRows,
  inputs: PromptInputs,
  trace: SideTrace<unknown>,
  dy: Tensor,
  update: Update,
): Tensor =>
  ops.tidy(() => {
    const d = stemBackward(ops, model.stem, rows, trace.stem, dy, update);
    const [count, width] = d.shape as [number, number];
    const tokens = rows.tokens.shape[0] as number;
    const prompts = count - tokens;
    if (prompts === 0) return d;
    const dRows = ops.slice(d, [0, 0], [prompts, width]);
    promptBackward(ops, model.prompts, inputs, trace.prompts, dRows, update);
    return ops.slice(d, [prompts, 0], [tokens, width]);
  });

/** dOut [R, E] → gradients of the tokens' embeddings and of the encoder's rows; traces are freed on the way. */
export const decodeBackward = async (
  ops: Ops,
  decoder: Decoder,
  rows: SpanRows,
  inputs: PromptInputs,
  memory: Tensor,
  trace: SideTrace<DecoderTrace>,
  dOut: Tensor,
  update: Update,
  pace: Pace,
): Promise<{ dTokens: Tensor; dMemory: Tensor }> => {
  let d = dOut;
  let dMemory: Tensor | undefined;
  for (const [layer, block] of [...decoder.blocks.entries()].reverse()) {
    const blockTrace = trace.blocks[layer] as DecoderTrace;
    const above = d;
    const gathered: Tensor | undefined = dMemory;
    [d, dMemory] = ops.tidy(() => {
      const [dx, own] = decoderBlockBackward(ops, block, rows, memory, blockTrace, above, update);
      return [dx, gathered ? ops.add(gathered, own) : own] as const;
    });
    freeTrace(ops, [blockTrace, above, gathered]);
    await pace.rest();
  }
  const dTokens = beginBackward(ops, decoder, rows, inputs, trace, d, update);
  return { dTokens, dMemory: dMemory ?? ops.scale(memory, 0) };
};

/** dOut [R, E] → gradient of the tokens' embeddings; traces are freed on the way. */
export const encodeBackward = async (
  ops: Ops,
  encoder: Encoder,
  rows: SideRows,
  inputs: PromptInputs,
  trace: SideTrace<EncoderTrace>,
  dOut: Tensor,
  update: Update,
  pace: Pace,
): Promise<Tensor> => {
  let d = dOut;
  for (const [layer, block] of [...encoder.blocks.entries()].reverse()) {
    const blockTrace = trace.blocks[layer] as EncoderTrace;
    const above = d;
    // In two turns of the event loop: contexts have most of the rows.
    const fed = ops.tidy(() => feedForwardBackward(ops, block.feed, blockTrace.feed, above, update));
    freeTrace(ops, above);
    await pace.rest();
    d = ops.tidy(() => selfBackward(ops, block, rows.grid, blockTrace, fed, update));
    freeTrace(ops, [blockTrace, fed]);
    await pace.rest();
  }
  return beginBackward(ops, encoder, rows, inputs, trace, d, update);
};
