/**
 * Spans written token by token: keys and values of what is written are kept, and nothing is computed twice.
 */

import {
  attendNext,
  crossAttention,
  freeCache,
  type KeysValues,
  selectCache,
  selectLines,
} from '../../../nn/layers/attention.ts';
import { type Forward, layerNorm } from '../../../nn/layers/layers.ts';
import type { Operand, Ops, Tensor } from '../../../nn/ops/ops.ts';
import { type PromptArchitecture, promptRows } from './architecture.ts';
import { addRows, feedRows } from './blocks.ts';
import type { DecoderContexts } from './encode-contexts.ts';
import type { Decoder } from './encoder-decoder.ts';
import { queryCells } from './side-rows.ts';
import { type Heads, headMatrix, headOutputs } from './span-heads.ts';
import { positionOffset } from './weight-layout.ts';

/** Spans being written, all in step: one token each at a time. */
export interface SpanDecoder {
  /** Spans that are being written now. */
  readonly live: number;
  /**
   * Appends one token to each live span (the first is its begin bracket) and gives, span by span, the logits
   * of its head for the token after it. Throws RangeError where the position table ends.
   */
  step(tokens: Int32Array): Promise<Float32Array[]>;
  /** Goes on with these of the live spans, in this order; an index may come twice. */
  select(spans: Int32Array): void;
  dispose(): void;
}

/** The network that writes. */
interface Writer extends Forward {
  architecture: PromptArchitecture;
  decoder: Decoder;
  heads: Heads;
}

/** The part of the encoded contexts that live spans read. */
interface View {
  contexts: number;
  layers: readonly KeysValues[];
  mask: Tensor;
  /** True where the tensors are copies of ours, false where they are the encoded contexts'. */
  owned: boolean;
}

const selectContexts = (ops: Ops, view: View, contexts: Int32Array): View =>
  ops.scope(() => {
    const chosen = ops.uploadIndices(contexts);
    return {
      contexts: contexts.length,
      layers: view.layers.map((layer) => selectLines(ops, layer, chosen)),
      mask: ops.keep(ops.gather(view.mask, chosen)),
      owned: true,
    };
  });

/** Spans of some encoded contexts, written by one network. */
export class StepDecoder implements SpanDecoder {
  readonly #network: Writer;
  readonly #matrices = new Map<number, Operand>();
  readonly #kept: Tensor[] = [];
  #view: View;
  #sources: Int32Array;
  #heads: Int32Array;
  #caches: (KeysValues | undefined)[];
  #position: number;

  /**
   * Throws RangeError for a context that is not among those encoded, or a head that the model does not have.
   */
  constructor(network: Writer, encoded: DecoderContexts, sources: Int32Array, heads: Int32Array) {
    this.#network = network;
    const { ops, architecture, decoder } = network;
    if (sources.length !== heads.length)
      throw new RangeError(`${sources.length} contexts and ${heads.length} heads given for the same spans`);
    const wrong = sources.find((source) => source < 0 || source >= encoded.contexts);
    if (wrong !== undefined)
      throw new RangeError(`a span reads context ${wrong}, of ${encoded.contexts} there are`);
    if (heads.some((head) => !architecture.heads[head]))
      throw new RangeError(
        `a span uses head ${Math.max(...heads)}, of ${architecture.heads.length} there are`,
      );
    this.#view = { ...encoded, owned: false };
    this.#sources = sources.slice();
    this.#heads = heads.slice();
    this.#position = promptRows(architecture);
    this.#caches = ops.scope(() => {
      const rows = sources.length === 0 ? undefined : ops.uploadIndices(sources.slice());
      return decoder.blocks.map((_, layer) => {
        const cache = encoded.prompts[layer];
        return cache && rows && selectLines(ops, cache, rows);
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
    const { embedding } = decoder;
    const queries = queryCells(ops, this.#view.contexts, this.#sources);
    const width = embedding.tokens.shape[1] as number;
    let rows = ops.tidy(() => {
      const position = ops.slice(embedding.positions, [this.#position + positionOffset, 0], [1, width]);
      return layerNorm(
        ops,
        embedding.norm,
        ops.add(ops.gather(embedding.tokens, ops.uploadIndices(tokens)), position),
      ).out;
    });
    this.#position += 1;
    for (const [layer, block] of decoder.blocks.entries()) {
      const input = rows;
      rows = ops.tidy(() => {
        const seen = attendNext(ops, block.attention, input, this.#caches[layer]);
        this.#caches[layer] = seen.cache;
        const attended = addRows(ops, block.attentionNorm, input, seen.out);
        const keysValues = this.#view.layers[layer] as KeysValues;
        const grid = { queries, masks: [this.#view.mask] };
        const read = crossAttention(ops, block.cross, grid, [keysValues], attended);
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
    this.#view = selectContexts(this.#network.ops, before, Int32Array.from(read));
    this.#sources = this.#sources.map((source) => read.indexOf(source));
    this.#release(before);
  }

  #release(view: View): void {
    if (!view.owned) return;
    const { ops } = this.#network;
    ops.free(view.mask);
    for (const layer of view.layers) freeCache(ops, layer);
  }

  #freeCaches(): void {
    for (const cache of this.#caches) if (cache) freeCache(this.#network.ops, cache);
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
