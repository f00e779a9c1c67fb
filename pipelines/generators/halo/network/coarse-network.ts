/**
 * HALO-Coarse, the ablation of HALO's paper (btheodorou99/HALO_Inpatient,
 * baselines/haloCoarse/haloCoarse.py): HALO's transformer over visits, and one linear layer that gives the
 * log-odds of all columns of the next set from the history alone, P(c | v₁ … vₜ₋₁). N rows of a batch, H
 * histories, E embedding, W columns.
 */
import { z } from 'zod';
import type { RecordSets } from '../../../generation/record-sets.ts';
import { layoutOf, withoutForcedFacts } from '../../../generation/record-sets.ts';
import { Pace } from '../../../kernel/pace.ts';
import type { KeysValues } from '../../../nn/layers/attention.ts';
import { type Dropout, dropMasks } from '../../../nn/layers/dropout.ts';
import { deliver, type Update } from '../../../nn/layers/layers.ts';
import { multiHotLoss } from '../../../nn/networks/set-sequences.ts';
import type { Ops, Tensor, Variable, VariableState } from '../../../nn/ops/ops.ts';
import {
  openVariables,
  type TrainableNetwork,
  type TrainableWeight,
} from '../../../nn/training/epoch-trainer.ts';
import { type Architecture, storedArchitecture } from './architecture.ts';
import { packSets } from './batch.ts';
import {
  freeCaches,
  inputsOf,
  selectCaches,
  type Transformer,
  transformerBackward,
  transformerForward,
  transformerNext,
  transformerOf,
} from './transformer.ts';
import { transformerWeights } from './weight-layout.ts';

/** HALO's, and whether the output layer has a bias: the reference's has none. */
export interface CoarseArchitecture extends Architecture {
  biased: boolean;
}
export const storedCoarse: z.ZodType<CoarseArchitecture> = z.intersection(
  storedArchitecture,
  z.object({ biased: z.boolean() }),
);

/** The output layer's arrays [E, W] and [W]. */
export const coarseHead = { weight: 'ehr_head.decoder.weight', bias: 'ehr_head.decoder.bias' } as const;

/** Every trainable array. */
export const coarseWeights = (architecture: CoarseArchitecture): TrainableWeight[] => {
  const { width } = layoutOf(architecture);
  return [
    ...transformerWeights(architecture).map(({ name, shape }) => ({ name, shape })),
    { name: coarseHead.weight, shape: [architecture.embedding, width] },
    ...(architecture.biased ? [{ name: coarseHead.bias, shape: [width] }] : []),
  ];
};

/** HALO-Coarse on a device. A state is each layer's keys and values. */
export class CoarseNetwork implements TrainableNetwork {
  readonly ops: Ops;
  readonly pace = new Pace();
  readonly architecture: CoarseArchitecture;
  readonly weights: readonly TrainableWeight[];
  readonly variable: (name: string) => Variable;
  readonly #transformer: Transformer;

  constructor(
    ops: Ops,
    architecture: CoarseArchitecture,
    initial: (weight: TrainableWeight) => Partial<VariableState>,
  ) {
    this.ops = ops;
    this.architecture = architecture;
    this.weights = coarseWeights(architecture);
    this.variable = openVariables(ops, this.weights, initial);
    this.#transformer = transformerOf(architecture, this.variable);
  }

  /** [H, E] → [H, W] */
  #logits(histories: Tensor): Tensor {
    const { ops } = this;
    const product = ops.matMul(histories, this.variable(coarseHead.weight));
    return this.architecture.biased ? ops.add(product, this.variable(coarseHead.bias)) : product;
  }

  async #forward(records: readonly RecordSets[], dropout?: Dropout) {
    const { ops } = this;
    const batch = packSets(records);
    const inputs = inputsOf(ops, batch);
    const drop = dropMasks(ops, dropout);
    const transformer = await transformerForward(this, this.#transformer, inputs, drop);
    const { out } = transformer.finalNorm;
    const mask = drop?.(out.shape);
    const histories = mask ? ops.multiply(out, mask) : out; // [H, E]
    const historyOf = ops.uploadIndices(batch.historyOf);
    const all = ops.gather(this.#logits(histories), historyOf); // [N, W]
    const logits = withoutForcedFacts(ops, layoutOf(this.architecture), batch.targets, all, 0);
    return { batch, inputs, transformer, mask, histories, historyOf, logits };
  }

  /** Forward and backward; gives the mean loss of a cell. */
  learn(records: readonly RecordSets[], update: Update, dropout?: Dropout): Promise<number> {
    const { ops, pace } = this;
    const pass = { ops, pace, update };
    return ops.scope(async () => {
      const { batch, inputs, transformer, mask, histories, historyOf, logits } = await this.#forward(
        records,
        dropout,
      );
      const { sum, cells, slopes } = multiHotLoss(ops, logits, batch.targets);
      const own = ops.uploadIndices(Int32Array.from(batch.historyOf.keys()));
      const d = ops.segmentSumGradient(slopes(), historyOf, own, batch.histories); // [H, W]
      const weight = this.variable(coarseHead.weight);
      const dRead = ops.matMul(d, weight, { transposeB: true });
      const dHistories = mask ? ops.multiply(dRead, mask) : dRead;
      deliver(pass, weight, ops.matMul(histories, d, { transposeA: true }));
      if (this.architecture.biased) deliver(pass, this.variable(coarseHead.bias), ops.sumRows(d));
      await transformerBackward(pass, this.#transformer, inputs, transformer, dHistories);
      return sum / cells;
    });
  }

  /** Summed loss of records, and its cells. */
  loss(records: readonly RecordSets[]): Promise<{ sum: number; cells: number }> {
    return this.ops.scope(async () => {
      const { batch, logits } = await this.#forward(records);
      const { sum, cells } = multiHotLoss(this.ops, logits, batch.targets);
      return { sum, cells };
    });
  }

  /** [N, W] of whole records, record by record. */
  logits(records: readonly RecordSets[]): Promise<Float32Array> {
    return this.ops.scope(async () => this.ops.download((await this.#forward(records)).logits));
  }

  async next(inputs: readonly ArrayLike<number>[], position: number, past: KeysValues[] | undefined) {
    const read = await transformerNext(this, this.#transformer, inputs, position, past);
    return { logits: this.#logits(read.histories), state: read.caches };
  }

  select(caches: KeysValues[], rows: readonly number[]): KeysValues[] {
    return selectCaches(this.ops, caches, rows);
  }

  free(caches: KeysValues[]): void {
    freeCaches(this.ops, caches);
  }

  dispose(): void {
    this.ops.dispose();
  }
}
