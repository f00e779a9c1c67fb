/**
 * HALO (Theodorou, Xiao, Sun: Synthesize high-dimensional longitudinal electronic health records via hierarchical
 * autoregressive language model; Nat Commun 14, 5305, 2023): histories by a transformer over visits, then each
 * column's probability from the history and the columns before it. N rows of a batch, E embedding, W width.
 */
import type { NamedArray } from '../../checkpointable.ts';
import type { Update } from '../../nn/layers.ts';
import type { Ops, Tensor, Variable, VariableState } from '../../nn/ops.ts';
import { Pace } from '../../nn/pace.ts';
import type { Architecture } from './architecture.ts';
import { type Batch, gridOf } from './batch.ts';
import { type Head, type HeadTrace, headForward, headOf } from './head.ts';
import { headBackward } from './head-backward.ts';
import { type LossScale, lossCells, summedLoss } from './loss.ts';
import { type Part, partsOf, readPart, toReference } from './parts.ts';
import {
  type DeviceInputs,
  type Transformer,
  type TransformerTrace,
  transformerBackward,
  transformerForward,
  transformerOf,
} from './transformer.ts';

interface Trace {
  inputs: DeviceInputs;
  transformer: TransformerTrace;
  head: HeadTrace;
}

/** A HALO model on a device: its parameters, and what is computed with them. */
export class HaloNetwork {
  readonly ops: Ops;
  readonly architecture: Architecture;
  readonly parts: readonly Part[];
  readonly transformer: Transformer;
  readonly head: Head;
  readonly pace = new Pace();
  readonly #variables = new Map<string, Variable>();
  readonly #masks = new Map<Variable, Tensor>();

  /** `initial` gives each part's value and, when training is taken up again, its Adam slots. */
  constructor(
    ops: Ops,
    architecture: Architecture,
    blockSize: number,
    initial: (part: Part) => Partial<VariableState>,
  ) {
    this.ops = ops;
    this.architecture = architecture;
    this.parts = partsOf(architecture, blockSize);
    for (const part of this.parts)
      this.#variables.set(part.name, ops.variable(part.name, part.shape, initial(part)));
    const find = (name: string) => this.variable(name);
    this.transformer = transformerOf(architecture, find);
    this.head = headOf(architecture, blockSize, find, (name) => this.#variables.has(name));
  }

  /** The parameters of a reference checkpoint, in our blocks. */
  static fromReference(
    ops: Ops,
    architecture: Architecture,
    blockSize: number,
    tensors: Record<string, NamedArray>,
  ): HaloNetwork {
    return new HaloNetwork(ops, architecture, blockSize, (part) => {
      const tensor = tensors[part.reference];
      if (!tensor) throw new RangeError(`the weights lack tensor ${part.reference}`);
      return { value: readPart(part, tensor) };
    });
  }

  variable(name: string): Variable {
    const variable = this.#variables.get(name);
    if (!variable) throw new RangeError(`this model has no parameter ${name}`);
    return variable;
  }

  /** Trainable numbers, dead cells of triangles left out. */
  get parameters(): number {
    return this.parts.reduce((sum, part) => sum + liveCells(part), 0);
  }

  /** The weights in the reference's names and layouts. */
  reference(): Record<string, NamedArray> {
    return toReference(
      this.architecture,
      this.parts,
      ({ name }) => this.ops.state(this.variable(name)).value,
    );
  }

  async #forward(batch: Batch): Promise<Trace> {
    const { ops } = this;
    const inputs: DeviceInputs = {
      tokens: ops.uploadIndices(batch.inputs.tokens),
      rows: ops.uploadIndices(batch.inputs.rows),
      positions: ops.uploadIndices(batch.positions),
      ownRow: ops.uploadIndices(Int32Array.from(batch.positions.keys())),
      grid: gridOf(ops, batch),
    };
    const transformer = await transformerForward(ops, this.transformer, inputs, this.pace);
    const head = await headForward(ops, this.head, transformer.finalNorm.out, batch.targets, this.pace);
    return { inputs, transformer, head };
  }

  /** Teacher-forced logits [N, W], row-major on our side. */
  logits(batch: Batch): Promise<Float32Array> {
    return this.ops.scope(async () => this.ops.download((await this.#forward(batch)).head.logits));
  }

  /** The history before each row's targets [N, E], row-major on our side. */
  histories(batch: Batch): Promise<Float32Array> {
    return this.ops.scope(async () =>
      this.ops.download((await this.#forward(batch)).transformer.finalNorm.out),
    );
  }

  /** Summed loss of a batch and the cells it is to be divided by; nothing is learned. */
  loss(batch: Batch, scale: LossScale): Promise<{ sum: number; cells: number }> {
    return this.ops.scope(async () => {
      const { logits } = (await this.#forward(batch)).head;
      const { loss } = summedLoss(this.ops, batch, logits, scale.positiveWeight);
      return { sum: loss, cells: lossCells(batch, logits.shape[1] as number, scale) };
    });
  }

  /** Forward and backward; every parameter's gradient goes to `update` once. Gives the normalized loss. */
  learn(batch: Batch, scale: LossScale, update: Update): Promise<number> {
    const { ops } = this;
    return ops.scope(async () => {
      const trace = await this.#forward(batch);
      const { logits } = trace.head;
      const cells = lossCells(batch, logits.shape[1] as number, scale);
      const { loss, dLogits } = summedLoss(ops, batch, logits, scale.positiveWeight);
      const d = dLogits(cells);
      const masks = this.#triangleMasks();
      const dHistories = await headBackward(ops, this.head, trace.head, d, masks, update, this.pace);
      const { inputs, transformer } = trace;
      await transformerBackward(ops, this.transformer, inputs, transformer, dHistories, update, this.pace);
      return loss / cells;
    });
  }

  #triangleMasks(): ReadonlyMap<Variable, Tensor> {
    if (this.#masks.size === 0)
      for (const part of this.parts.filter(({ triangular }) => triangular)) {
        const mask = this.ops.upload(triangleMask(part), part.shape);
        this.#masks.set(this.variable(part.name), this.ops.keep(mask));
      }
    return this.#masks;
  }

  dispose(): void {
    this.#masks.clear();
    this.ops.dispose();
  }
}

const isLive = (part: Part, row: number, column: number): boolean =>
  !part.triangular || part.row + row <= part.column + column;

const triangleMask = (part: Part): Float32Array => {
  const [rows, columns] = part.shape as [number, number];
  return Float32Array.from({ length: rows * columns }, (_, i) =>
    isLive(part, Math.floor(i / columns), i % columns) ? 1 : 0,
  );
};

const liveCells = (part: Part): number => {
  const [rows, columns] = part.shape as [number, number];
  if (!part.triangular) return part.shape.reduce((product, size) => product * size, 1);
  const offset = part.column - part.row;
  return Array.from({ length: rows }, (_, row) => columns - Math.max(0, row - offset)).reduce(
    (a, b) => a + b,
    0,
  );
};
