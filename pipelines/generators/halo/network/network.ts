/**
 * HALO (Theodorou, Xiao, Sun: Synthesize high-dimensional longitudinal electronic health records via
 * hierarchical autoregressive language model; Nat Commun 14, 5305, 2023): histories by a transformer over
 * visits, then each column's probability from the history and the columns before it. N rows of a batch, E
 * embedding, W width.
 */

import { type Layout, layoutOf, withoutForcedFacts } from '../../../generation/record-sets.ts';
import type { NamedArray } from '../../../kernel/checkpointable.ts';
import { Pace } from '../../../kernel/pace.ts';
import { type Dropout, dropMasks } from '../../../nn/layers/dropout.ts';
import type { Backward, Update } from '../../../nn/layers/layers.ts';
import type { Ops, Variable, VariableState } from '../../../nn/ops/ops.ts';
import type { Architecture } from './architecture.ts';
import type { Batch } from './batch.ts';
import { type Head, type HeadTrace, headForward, headOf, tokensByBlock } from './head.ts';
import { headBackward, type RowsByHistory } from './head-backward.ts';
import { type LossScale, lossCells, summedLoss } from './loss.ts';
import {
  type DeviceInputs,
  inputsOf,
  type Transformer,
  type TransformerTrace,
  transformerBackward,
  transformerForward,
  transformerOf,
} from './transformer.ts';
import { allWeights, liveCells, readWeight, toReference, type Weight } from './weight-layout.ts';

interface Trace {
  inputs: DeviceInputs;
  transformer: TransformerTrace;
  head: HeadTrace;
}

/** A HALO model on a device: its parameters, and what is computed with them. */
export class HaloNetwork {
  readonly ops: Ops;
  readonly architecture: Architecture;
  readonly weights: readonly Weight[];
  readonly transformer: Transformer;
  readonly head: Head;
  readonly pace = new Pace();
  readonly #variables: ReadonlyMap<string, Variable>;

  private constructor(
    ops: Ops,
    architecture: Architecture,
    blockSize: number,
    variables: Map<string, Variable>,
  ) {
    this.ops = ops;
    this.architecture = architecture;
    this.weights = allWeights(architecture, blockSize);
    this.#variables = variables;
    const find = (name: string) => this.variable(name);
    this.transformer = transformerOf(architecture, find);
    this.head = headOf(architecture, blockSize, find, (name) => variables.has(name));
  }

  /** `initial` gives each weight's value and, when training is taken up again, its Adam slots. */
  static async build(
    ops: Ops,
    architecture: Architecture,
    blockSize: number,
    initial: (weight: Weight) => Partial<VariableState>,
  ): Promise<HaloNetwork> {
    const pace = new Pace();
    const variables = new Map<string, Variable>();
    for (const weight of allWeights(architecture, blockSize)) {
      variables.set(weight.name, ops.variable(weight.name, weight.shape, initial(weight)));
      await pace.rest();
    }
    return new HaloNetwork(ops, architecture, blockSize, variables);
  }

  /** The parameters of a reference checkpoint, in our blocks. */
  static fromReference(
    ops: Ops,
    architecture: Architecture,
    blockSize: number,
    tensors: Record<string, NamedArray>,
  ): Promise<HaloNetwork> {
    return HaloNetwork.build(ops, architecture, blockSize, (weight) => {
      const tensor = tensors[weight.reference];
      if (!tensor) throw new RangeError(`the weights lack tensor ${weight.reference}`);
      return { value: readWeight(weight, tensor) };
    });
  }

  variable(name: string): Variable {
    const variable = this.#variables.get(name);
    if (!variable) throw new RangeError(`this model has no parameter ${name}`);
    return variable;
  }

  /** Trainable numbers, dead cells of triangles left out. */
  get parameters(): number {
    return this.weights.reduce((sum, weight) => sum + liveCells(weight), 0);
  }

  /** The weights in the reference's names and layouts. */
  reference(): Promise<Record<string, NamedArray>> {
    const valuesOf = ({ name }: Weight) => this.ops.download(this.variable(name));
    return toReference(this.architecture, this.weights, valuesOf, this.pace);
  }

  async #forward(batch: Batch, dropout?: Dropout): Promise<Trace> {
    const { ops } = this;
    const inputs = inputsOf(ops, batch);
    const drop = dropMasks(ops, dropout);
    const transformer = await transformerForward(this, this.transformer, inputs, drop);
    const inputsOfHead = {
      histories: transformer.finalNorm.out,
      historyOf: ops.uploadIndices(batch.historyOf),
      tokens: tokensByBlock(ops, this.head, batch),
    };
    const head = await headForward(this, this.head, inputsOfHead, drop);
    const { codes } = this.architecture;
    const { targets } = batch;
    const otherLogits = withoutForcedFacts(ops, this.#layout, targets, head.otherLogits, codes);
    return { inputs, transformer, head: { ...head, otherLogits } };
  }

  /** Teacher-forced logits [N, W], row-major on our side. */
  logits(batch: Batch): Promise<Float32Array> {
    const { ops } = this;
    return ops.scope(async () => {
      const { codeLogits, otherLogits, historyOf } = (await this.#forward(batch)).head;
      return ops.download(ops.concat([ops.gather(codeLogits, historyOf), otherLogits], 1));
    });
  }

  /** The history before each row's targets [N, E], row-major on our side. */
  histories(batch: Batch): Promise<Float32Array> {
    const { ops } = this;
    return ops.scope(async () => {
      const { histories, historyOf } = (await this.#forward(batch)).head;
      return ops.download(ops.gather(histories, historyOf));
    });
  }

  /** Summed loss of a batch and the cells it is to be divided by; nothing is learned. */
  loss(batch: Batch, scale: LossScale): Promise<{ sum: number; cells: number }> {
    return this.ops.scope(async () => {
      const { head } = await this.#forward(batch);
      const { loss } = summedLoss(this.ops, batch, head, scale.positiveWeight);
      return { sum: loss, cells: lossCells(batch, this.#layout.width, scale) };
    });
  }

  /** Forward and backward; every parameter's gradient goes to `update` once. Gives the normalized loss. */
  learn(batch: Batch, scale: LossScale, update: Update, dropout?: Dropout): Promise<number> {
    const { ops, pace } = this;
    const pass: Backward = { ops, pace, update };
    return ops.scope(async () => {
      const { inputs, transformer, head } = await this.#forward(batch, dropout);
      const cells = lossCells(batch, this.#layout.width, scale);
      const { loss, dLogits } = summedLoss(ops, batch, head, scale.positiveWeight);
      const byHistory = rowsByHistory(ops, batch);
      const d = dLogits(cells);
      const dHistories = await headBackward(pass, this.head, head, d, byHistory);
      await transformerBackward(pass, this.transformer, inputs, transformer, dHistories);
      return loss / cells;
    });
  }

  get #layout(): Layout {
    return layoutOf(this.architecture);
  }

  dispose(): void {
    this.ops.dispose();
  }
}

/** Rows sorted by history. */
const rowsByHistory = (ops: Ops, { historyOf }: Batch): RowsByHistory => {
  const rows = Int32Array.from(historyOf.keys()).sort(
    (a, b) => (historyOf[a] as number) - (historyOf[b] as number),
  );
  const histories = rows.map((row) => historyOf[row] as number);
  return { rows: ops.uploadIndices(rows), histories: ops.uploadIndices(histories) };
};
