import { drawnLabel } from '../../../generation/generator.ts';
import { RandomSource } from '../../../kernel/random.ts';
import { type LabelNetwork, labelNetworkOf } from '../network/label-network.ts';
import type { HaloNetwork } from '../network/network.ts';
import { type DrawLabels, labelsGiven } from './sample-labels.ts';

/** Sets of asked labels of which the sums are kept: at most 32 KiB each. */
const mostKept = 256;

/** Completes labels of which some are asked for. */
export class LabelCompletion {
  readonly #network: HaloNetwork;
  #labelNetwork: LabelNetwork | undefined;
  /** By the labels asked for: most requests ask the same of all patients, so what a set of them costs once is kept. */
  readonly #draws = new Map<string, DrawLabels>();

  constructor(network: HaloNetwork) {
    this.#network = network;
  }

  /** `[patients, labels]`: those that are not asked for drawn from their distribution given those that are. */
  async complete(asked: Uint8Array, first: number, seed: number): Promise<Uint8Array> {
    if (!asked.includes(drawnLabel)) return asked;
    const random = new RandomSource(seed, 'patients');
    const width = this.#network.architecture.labels;
    const complete = asked.slice();
    for (let from = 0; from < asked.length; from += width) {
      const given = asked.slice(from, from + width);
      if (!given.includes(drawnLabel)) continue;
      const draw = await this.#drawOf(given);
      complete.set(draw(random, first + from / width), from);
      await this.#network.pace.rest();
    }
    return complete;
  }

  async #drawOf(given: Uint8Array): Promise<DrawLabels> {
    const key = given.join();
    const kept = this.#draws.get(key);
    if (kept) return kept;
    this.#labelNetwork ??= await labelNetworkOf(this.#network);
    const draw = await labelsGiven(this.#labelNetwork, given, this.#network.pace);
    if (this.#draws.size === mostKept) this.#draws.clear();
    this.#draws.set(key, draw);
    return draw;
  }
}
