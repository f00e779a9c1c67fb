/** Spans written token by token: keys and values of what is written are kept, and nothing is computed twice. */

import type { Pace } from '../../../kernel/pace.ts';
import { attendNext, type KeyValueCache, selectCache } from '../../../nn/layers/attention.ts';
import { crossAttention, type Remembered } from '../../../nn/layers/cross-attention.ts';
import { layerNorm } from '../../../nn/layers/layers.ts';
import type { Operand, Ops, Tensor } from '../../../nn/ops/ops.ts';
import { type PromptArchitecture, promptRows } from './architecture.ts';
import { addRows, feedRows } from './blocks.ts';
import type { EncodedMemory } from './encode-contexts.ts';
import type { SpanDecoder } from './encoded-contexts.ts';
import type { Decoder } from './encoder-decoder.ts';
import { queryCells } from './side-rows.ts';
import { type Heads, headMatrix, headOutputs } from './span-heads.ts';
import { positionOffset } from './weight-layout.ts';

/** The network that writes. */
interface Writer {
  ops: Ops;
  architecture: PromptArchitecture;
  decoder: Decoder;
  heads: Heads;
  pace: Pace;
}

/** The part of a memory that live spans read. */
interface View {
  contexts: number;
  layers: readonly Remembered[];
  mask: Tensor;
  /** True where the tensors are copies of ours, false where they are the memory's. */
  owned: boolean;
}

const gatherMemory = (ops: Ops, view: View, contexts: Int32Array): View =>
  ops.scope(() => {
    const rows = ops.uploadIndices(contexts);
    const take = (tensor: Tensor) => ops.keep(ops.gather(tensor, rows));
    return {
      contexts: contexts.length,
      layers: view.layers.map(({ keys, values }) => ({ keys: take(keys), values: take(values) })),
      mask: take(view.mask),
      owned: true,
    };
  });

/** Spans of one memory, written by one network. */
export class StepDecoder implements SpanDecoder {
  readonly #network: Writer;
  readonly #matrices = new Map<number, Operand>();
  readonly #kept: Tensor[] = [];
  #view: View;
  #sources: Int32Array;
  #heads: Int32Array;
  #caches: (KeyValueCache | undefined)[];
  #position: number;

  /** Throws RangeError for a context the memory or a head the model does not have. */
  constructor(network: Writer, memory: EncodedMemory, sources: Int32Array, heads: Int32Array) {
    this.#network = network;
    const { ops, architecture, decoder } = network;
    if (sources.length !== heads.length)
      throw new RangeError(`${sources.length} contexts and ${heads.length} heads given for the same spans`);
    if (sources.some((source) => source < 0 || source >= memory.contexts))
      throw new RangeError(`a span reads context ${Math.max(...sources)}, of ${memory.contexts} there are`);
    if (heads.some((head) => !architecture.heads[head]))
      throw new RangeError(`a span speaks by head ${Math.max(...heads)}, of ${architecture.heads.length}`);
    this.#view = { contexts: memory.contexts, layers: memory.layers, mask: memory.mask, owned: false };
    this.#sources = sources.slice();
    this.#heads = heads.slice();
    this.#position = promptRows(architecture);
    this.#caches = ops.scope(() => {
      const rows = sources.length === 0 ? undefined : ops.uploadIndices(sources.slice());
      return decoder.blocks.map((_, layer) => {
        const cache = memory.prompts[layer];
        if (!cache || !rows) return undefined;
        return {
          keys: ops.keep(ops.gather(cache.keys, rows)),
          values: ops.keep(ops.gather(cache.values, rows)),
        };
      });
    });
  }

  get live(): number {
    return this.#sources.length;
  }

  step(tokens: Int32Array): Promise<Float32Array[]> {
    const { ops, architecture } = this.#network;
    if (tokens.length !== this.live)
      throw new RangeError(`${tokens.length} tokens given for ${this.live} live spans`);
    if (this.#position >= architecture.positions)
      throw new RangeError(`a span of ${this.#position} rows is as long as the model's positions reach`);
    if (this.live === 0) return Promise.resolve([]);
    return ops.scope(async () => this.#logits(await this.#rows(tokens.slice())));
  }

  /** The next row of each live span, [live, E]. */
  async #rows(tokens: Int32Array): Promise<Tensor> {
    const { ops, decoder, pace } = this.#network;
    const { stem } = decoder;
    const queries = queryCells(ops, this.#view.contexts, this.#sources);
    const width = stem.tokens.shape[1] as number;
    let rows = ops.tidy(() => {
      const position = ops.slice(stem.positions, [this.#position + positionOffset, 0], [1, width]);
      return layerNorm(ops, stem.norm, ops.add(ops.gather(stem.tokens, ops.uploadIndices(tokens)), position))
        .out;
    });
    this.#position += 1;
    for (const [layer, block] of decoder.blocks.entries()) {
      const input = rows;
      rows = ops.tidy(() => {
        const seen = attendNext(ops, block.attention, input, this.#caches[layer]);
        this.#caches[layer] = seen.cache;
        const attended = addRows(ops, block.attentionNorm, input, seen.out);
        const remembered = this.#view.layers[layer] as Remembered;
        const grid = { queries, masks: [this.#view.mask] };
        const read = crossAttention(ops, block.cross, grid, [remembered], attended);
        return feedRows(ops, block.feed, addRows(ops, block.crossNorm, attended, read.out));
      });
      ops.free(input);
      await pace.rest();
    }
    return rows;
  }

  #matrix(head: number): Operand {
    const { ops, heads, architecture } = this.#network;
    const known = this.#matrices.get(head);
    if (known) return known;
    const matrix = headMatrix(ops, heads, head);
    if (architecture.tied) this.#kept.push(ops.keep(matrix as Tensor));
    this.#matrices.set(head, matrix);
    return matrix;
  }

  #logits(rows: Tensor): Float32Array[] {
    const { ops, architecture, heads } = this.#network;
    const logits: Float32Array[] = new Array(this.live);
    for (const head of architecture.heads.keys()) {
      const spans = Int32Array.from(this.#heads.keys()).filter((span) => this.#heads[span] === head);
      if (spans.length === 0) continue;
      const own = spans.length === this.live ? rows : ops.gather(rows, ops.uploadIndices(spans));
      const values = ops.download(headOutputs(ops, heads, head, own, this.#matrix(head)));
      const count = values.length / spans.length;
      spans.forEach((span, i) => {
        logits[span] = values.subarray(i * count, (i + 1) * count);
      });
    }
    return logits;
  }

  select(spans: Int32Array): void {
    const { ops } = this.#network;
    const wrong = spans.find((span) => span < 0 || span >= this.live);
    if (wrong !== undefined) throw new RangeError(`span ${wrong} selected, of ${this.live} live ones`);
    if (spans.length === this.live && spans.every((span, i) => span === i)) return;
    this.#sources = spans.map((span) => this.#sources[span] as number);
    this.#heads = spans.map((span) => this.#heads[span] as number);
    if (spans.length === 0) {
      this.#freeCaches();
      return;
    }
    this.#caches = ops.scope(() => {
      const rows = ops.uploadIndices(spans.slice());
      return this.#caches.map((cache) => cache && selectCache(ops, cache, rows));
    });
    this.#shrink();
  }

  /** Lets go of contexts that no live span reads, once they are half of them or more. */
  #shrink(): void {
    const read = [...new Set(this.#sources)].sort((a, b) => a - b);
    if (read.length * 2 > this.#view.contexts) return;
    const before = this.#view;
    this.#view = gatherMemory(this.#network.ops, before, Int32Array.from(read));
    this.#sources = this.#sources.map((source) => read.indexOf(source));
    this.#release(before);
  }

  #release(view: View): void {
    if (!view.owned) return;
    const { ops } = this.#network;
    for (const tensor of [view.mask, ...view.layers.flatMap(({ keys, values }) => [keys, values])])
      ops.free(tensor);
  }

  #freeCaches(): void {
    for (const cache of this.#caches)
      for (const tensor of cache ? [cache.keys, cache.values] : []) this.#network.ops.free(tensor);
    this.#caches = [];
  }

  dispose(): void {
    this.#freeCaches();
    for (const tensor of this.#kept.splice(0)) this.#network.ops.free(tensor);
    this.#matrices.clear();
    this.#release(this.#view);
    this.#view = { ...this.#view, owned: false };
    this.#sources = new Int32Array(0);
  }
}
