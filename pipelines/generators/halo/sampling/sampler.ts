import { type RecordModel, RecordSampler, type SetDraw } from '../../../generation/record-sampler.ts';
import { type Layout, layoutOf, type RecordSets } from '../../../generation/record-sets.ts';
import { attendNext, freeCache, type KeysValues, selectCache } from '../../../nn/layers/attention.ts';
import { gelu, layerNorm, linear } from '../../../nn/layers/layers.ts';
import type { Tensor } from '../../../nn/ops/ops.ts';
import { packSets } from '../network/batch.ts';
import type { HaloNetwork } from '../network/network.ts';
import { LabelCompletion } from './complete-labels.ts';
import { type BlockTriangles, drawColumns, trianglesOf } from './sample-columns.ts';

/** Columns per block of the head when sampling: the work inside a block is ours, between blocks the device's. */
export const samplingColumns = 256;

/** HALO as the sampler wants it; the state is each layer's keys and values. */
class HaloRecords implements RecordModel<KeysValues[]> {
  readonly layout: Layout;
  readonly maxVisits: number;
  readonly #network: HaloNetwork;
  readonly #triangles: BlockTriangles[];
  readonly #labels: LabelCompletion;

  constructor(network: HaloNetwork) {
    this.#network = network;
    this.maxVisits = network.architecture.maxVisits;
    this.layout = layoutOf(network.architecture);
    this.#triangles = trianglesOf(network.ops, network.head);
    this.#labels = new LabelCompletion(network);
  }

  completeLabels(labels: Uint8Array, first: number, seed: number): Promise<Uint8Array> {
    return this.#labels.complete(labels, first, seed);
  }

  logits(records: readonly RecordSets[]): Promise<Float32Array> {
    return this.#network.logits(packSets(records));
  }

  advance(
    inputs: readonly ArrayLike<number>[],
    position: number,
    past: KeysValues[] = [],
    draw: SetDraw | undefined,
  ): Promise<{ sets: number[][]; state: KeysValues[] }> {
    const { ops, head, pace } = this.#network;
    return ops.scope(async () => {
      const { histories, caches } = await this.#histories(inputs, position, past);
      const sets = draw ? await drawColumns(ops, head, this.#triangles, { ...draw, histories }, pace) : [];
      return { sets, state: caches };
    });
  }

  /** One more position through the transformer: [N] sets → [N, E]. */
  async #histories(
    inputs: readonly ArrayLike<number>[],
    position: number,
    past: readonly KeysValues[],
  ): Promise<{ histories: Tensor; caches: KeysValues[] }> {
    const { ops, transformer, pace, architecture } = this.#network;
    const tokens = inputs.flatMap((set) => Array.from(set));
    const rows = inputs.flatMap((set, row) => Array.from(set, () => row));
    const embedded = ops.segmentSum(
      transformer.tokens,
      ops.uploadIndices(Int32Array.from(tokens)),
      ops.uploadIndices(Int32Array.from(rows)),
      inputs.length,
    ); // [N, E]
    const place = ops.slice(transformer.positions, [position, 0], [1, architecture.embedding]); // [1, E]
    let x = ops.add(embedded, place);
    const caches: KeysValues[] = [];
    for (const [layer, block] of transformer.blocks.entries()) {
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
    return { histories: layerNorm(ops, transformer.finalNorm, x).out, caches };
  }

  select(caches: KeysValues[], rows: readonly number[]): KeysValues[] {
    const { ops } = this.#network;
    return ops.scope(() => {
      const chosen = ops.uploadIndices(Int32Array.from(rows));
      return caches.map((cache) => selectCache(ops, cache, chosen));
    });
  }

  free(caches: KeysValues[]): void {
    for (const cache of caches) freeCache(this.#network.ops, cache);
  }

  dispose(): void {
    this.#network.dispose();
  }
}

/**
 * Samples records from a HALO network whose head has blocks of `samplingColumns`, and scores them; `groups` as `groupsOf`
 * gives them.
 */
export const haloSampler = (network: HaloNetwork, groups?: Int32Array): RecordSampler<KeysValues[]> =>
  new RecordSampler(new HaloRecords(network), groups);
