import { type RecordModel, RecordSampler, type SetDraw } from '../../../generation/record-sampler.ts';
import { type Layout, layoutOf, type RecordSets } from '../../../generation/record-sets.ts';
import type { KeysValues } from '../../../nn/layers/attention.ts';
import { packSets } from '../network/batch.ts';
import type { HaloNetwork } from '../network/network.ts';
import { freeCaches, selectCaches, transformerNext } from '../network/transformer.ts';
import { type BlockTriangles, sampleColumns, trianglesOf } from './sample-columns.ts';
import { LabelCompletion } from './sample-labels.ts';

/**
 * Columns per block of the head when sampling: the work inside a block is ours, between blocks the device's.
 */
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
    past: KeysValues[] | undefined,
    draw: SetDraw | undefined,
  ): Promise<{ sets: number[][]; state: KeysValues[] }> {
    const { ops, head, pace, transformer } = this.#network;
    return ops.scope(async () => {
      const read = await transformerNext(this.#network, transformer, inputs, position, past);
      const { histories, caches } = read;
      const sets = draw ? await sampleColumns(ops, head, this.#triangles, { ...draw, histories }, pace) : [];
      return { sets, state: caches };
    });
  }

  select(caches: KeysValues[], rows: readonly number[]): KeysValues[] {
    return selectCaches(this.#network.ops, caches, rows);
  }

  free(caches: KeysValues[]): void {
    freeCaches(this.#network.ops, caches);
  }

  dispose(): void {
    this.#network.dispose();
  }
}

/**
 * Samples records from a HALO network whose head has blocks of `samplingColumns`, and scores them; `groups`
 * as `groupsOf` gives them.
 */
export const haloSampler = (network: HaloNetwork, groups?: Int32Array): RecordSampler<KeysValues[]> =>
  new RecordSampler(new HaloRecords(network), groups);
