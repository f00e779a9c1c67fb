/**
 * The LSTM baseline of HALO's paper (btheodorou99/HALO_Inpatient, baselines/lstm/lstm.py): sets of columns
 * are embedded as the sum of their columns' rows, an LSTM reads them, and a linear layer gives the log-odds
 * of all columns of the next set. N rows of a batch, E width, W columns.
 */
import { z } from 'zod';
import { layoutOf, type RecordSets, withoutForcedFacts } from '../../generation/record-sets.ts';
import { Pace } from '../../kernel/pace.ts';
import type { RandomSource } from '../../kernel/random.ts';
import { type Linear, linear, linearBackward } from '../../nn/layers/layers.ts';
import { type LstmState, lstmNext } from '../../nn/layers/lstm.ts';
import { dropoutMasks } from '../../nn/networks/encoder-dropout.ts';
import {
  embedSets,
  multiHotLoss,
  packSequences,
  type SequenceBatch,
} from '../../nn/networks/set-sequences.ts';
import { encodeVisits, encodeVisitsBackward, type VisitEncoder } from '../../nn/networks/visit-encoder.ts';
import { freshValues } from '../../nn/ops/fresh-values.ts';
import type { Ops, Tensor, Variable, VariableState } from '../../nn/ops/ops.ts';
import {
  type LearningStep,
  openVariables,
  type TrainableNetwork,
  type TrainableWeight,
} from '../../nn/training/epoch-trainer.ts';

const size = z.int().positive();

/** Everything that decides the shapes of the weights, and the longest record. */
export const lstmArchitecture = z.object({
  codes: size,
  labels: z.int().nonnegative().describe('columns of facts, and labels'),
  facts: z.array(size).optional().describe('columns of each demographic fact, the first of the labels'),
  maxVisits: size,
  width: size.describe('of embedding and hidden states'),
  layers: size,
});
export type LstmArchitecture = z.output<typeof lstmArchitecture>;

/** Every trainable array. PyTorch's two biases of a layer are one, their sum. */
export const lstmWeights = ({ width, layers, ...rest }: LstmArchitecture): TrainableWeight[] => {
  const { width: columns } = layoutOf(rest);
  return [
    { name: 'embedding', shape: [columns, width] },
    ...Array.from({ length: layers }, (_, layer) => [
      { name: `lstm.${layer}.input`, shape: [1, width, 4 * width] },
      { name: `lstm.${layer}.recurrent`, shape: [1, width, 4 * width] },
      { name: `lstm.${layer}.bias`, shape: [1, 1, 4 * width] },
    ]).flat(),
    { name: 'head.weight', shape: [width, columns] },
    { name: 'head.bias', shape: [columns] },
  ];
};

/** Fresh weights as PyTorch draws them: ±1/√inputs; an LSTM's inputs count as its hidden units. */
export const freshLstm =
  (architecture: LstmArchitecture, random: RandomSource) =>
  ({ name, shape }: TrainableWeight): Float32Array => {
    const names = lstmWeights(architecture).map((weight) => weight.name);
    const inputs = name === 'embedding' ? (shape[0] as number) : architecture.width;
    const [rows, columns] = [1, ...shape].slice(-2) as [number, number];
    const draw = (tensor: number) =>
      freshValues(
        random,
        { kind: 'uniform', size: 1 / Math.sqrt(inputs) },
        { ...{ tensor, rows, columns }, row: 0, column: 0 },
      );
    const values = draw(names.indexOf(name));
    if (!/^lstm.*bias$/.test(name)) return values;
    const second = draw(names.length + names.indexOf(name));
    return values.map((value, i) => value + (second[i] as number));
  };

/**
 * The LSTM on a device: its weights, and what is computed with them. A state is each layer's, kept on the
 * device.
 */
export class LstmNetwork implements TrainableNetwork {
  readonly ops: Ops;
  readonly pace = new Pace();
  readonly architecture: LstmArchitecture;
  readonly weights: readonly TrainableWeight[];
  readonly variable: (name: string) => Variable;
  readonly #encoder: VisitEncoder;
  readonly #head: Linear;

  constructor(
    ops: Ops,
    architecture: LstmArchitecture,
    initial: (weight: TrainableWeight) => Partial<VariableState>,
  ) {
    this.ops = ops;
    this.architecture = architecture;
    this.weights = lstmWeights(architecture);
    this.variable = openVariables(ops, this.weights, initial);
    const { width, layers } = architecture;
    const find = this.variable;
    this.#encoder = {
      shape: { embedding: width, hidden: width, layers, directions: 1 },
      table: find('embedding'),
      stack: {
        directions: 1,
        layers: Array.from({ length: layers }, (_, layer) => ({
          input: find(`lstm.${layer}.input`),
          recurrent: find(`lstm.${layer}.recurrent`),
          bias: find(`lstm.${layer}.bias`),
        })),
      },
    };
    this.#head = { weight: find('head.weight'), bias: find('head.bias') };
  }

  #forward(batch: SequenceBatch, masks: readonly Tensor[] = []) {
    const { ops } = this;
    const encoded = encodeVisits(ops, this.#encoder, batch, masks);
    const states = ops.reshape(encoded.out, [batch.rows.rows, this.architecture.width]); // [N, E]
    const all = linear(ops, this.#head, states); // [N, W]
    const logits = withoutForcedFacts(ops, layoutOf(this.architecture), batch.targets, all, 0);
    return { encoded, states, logits };
  }

  /** Learns from records with so much dropout between embedding and layers; gives the mean loss of a cell. */
  learn(
    records: readonly RecordSets[],
    { step, epoch, update }: LearningStep,
    dropout: { rate: number; source: RandomSource },
  ): number {
    const { ops } = this;
    const batch = packSequences(records);
    const biases = new Set(this.#encoder.stack.layers.map(({ bias }) => bias));
    return ops.scope(() => {
      const draws = { source: dropout.source, majors: [epoch], batch: step };
      const masks = dropoutMasks(ops, draws, batch.rows, this.#encoder.shape, dropout.rate);
      const { encoded, states, logits } = this.#forward(batch, masks);
      const { sum, cells, slopes } = multiHotLoss(ops, logits, batch.targets);
      const pass = {
        ops,
        // One bias stands for PyTorch's two, which both move.
        update: (parameter: Variable, gradient: Tensor) =>
          update(parameter, gradient, biases.has(parameter) ? { speed: 2 } : undefined),
      };
      const dStates = linearBackward(pass, this.#head, states, slopes());
      encodeVisitsBackward(pass, this.#encoder, encoded, ops.reshape(dStates, encoded.out.shape));
      return sum / cells;
    });
  }

  /** Summed loss of records, and its cells. */
  loss(records: readonly RecordSets[]): { sum: number; cells: number } {
    const batch = packSequences(records);
    return this.ops.scope(() => {
      const { sum, cells } = multiHotLoss(this.ops, this.#forward(batch).logits, batch.targets);
      return { sum, cells };
    });
  }

  /** [N, W] of whole records, record by record. */
  async logits(records: readonly RecordSets[]): Promise<Float32Array> {
    const batch = packSequences(records);
    const { ops } = this;
    return ops.scope(() =>
      ops.download(ops.gather(this.#forward(batch).logits, ops.uploadIndices(batch.inOrder))),
    );
  }

  /** Reads one set more of each patient. */
  async next(inputs: readonly ArrayLike<number>[], _position: number, before?: LstmState[]) {
    const { ops } = this;
    const { table, stack } = this.#encoder;
    let x = embedSets(ops, table, inputs); // [n, E]
    const state: LstmState[] = [];
    for (const [layer, weights] of stack.layers.entries()) {
      const { cell, hidden } = lstmNext(
        ops,
        weights,
        ops.reshape(x, [1, ...x.shape.slice(-2)]),
        before?.[layer],
      );
      state.push({ cell: ops.keep(cell), hidden: ops.keep(hidden) });
      x = hidden;
      await this.pace.rest();
    }
    if (before) this.free(before);
    const states = ops.reshape(x, [inputs.length, this.architecture.width]);
    return { logits: linear(ops, this.#head, states), state };
  }

  /** The state of these patients; the old one is freed. */
  select(state: LstmState[], rows: readonly number[]): LstmState[] {
    const { ops } = this;
    return ops.scope(() => {
      const chosen = ops.uploadIndices(Int32Array.from(rows));
      const pick = (x: Tensor) =>
        ops.keep(
          ops.reshape(ops.gather(ops.reshape(x, x.shape.slice(1)), chosen), [
            1,
            rows.length,
            ...x.shape.slice(2),
          ]),
        );
      const selected = state.map(({ cell, hidden }) => ({ cell: pick(cell), hidden: pick(hidden) }));
      this.free(state);
      return selected;
    });
  }

  free(state: readonly LstmState[]): void {
    for (const { cell, hidden } of state) for (const tensor of [cell, hidden]) this.ops.free(tensor);
  }

  dispose(): void {
    this.ops.dispose();
  }
}
