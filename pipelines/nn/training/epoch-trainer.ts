/**
 * The one trainer of every method that learns in epochs: where it stands, Adam with a learning-rate schedule,
 * validation, early stopping with the best weights, calibration at the end, and checkpoints that go on bit
 * for bit. A method gives its network, its batches, one step of learning and a loss.
 */
import { z } from 'zod';
import { StageError } from '../../../schemas/errors.ts';
import type { Checkpointable, Saved, Saving } from '../../kernel/checkpointable.ts';
import { release } from '../../kernel/free-array.ts';
import type { Pace } from '../../kernel/pace.ts';
import { adamRates } from '../layers/adam.ts';
import type { AdamRates, Ops, Tensor, Variable, VariableState } from '../ops/ops.ts';
import { EpochCursor } from './epoch-cursor.ts';
import { type Schedule, scheduledRate } from './learning-rate.ts';
import { requireTrainingMemory, type TrainingMemory } from './training-memory.ts';

/**
 * A loss over fewer validation patients is noise: it is reported, but neither stops training nor chooses
 * weights.
 */
export const fewestToSteer = 20;

/** A trainable array of a network. */
export interface TrainableWeight {
  name: string;
  shape: number[];
}

/** What training needs of a network: its weights as variables. */
export interface TrainableNetwork {
  readonly ops: Ops;
  readonly pace: Pace;
  readonly weights: readonly TrainableWeight[];
  variable(name: string): Variable;
  dispose(): void;
}

/** Makes a network's variables, and finds them by name. `initial` gives values and Adam slots. */
export const openVariables = (
  ops: Ops,
  weights: readonly TrainableWeight[],
  initial: (weight: TrainableWeight) => Partial<VariableState>,
): ((name: string) => Variable) => {
  const variables = new Map(
    weights.map((weight) => [weight.name, ops.variable(weight.name, weight.shape, initial(weight))]),
  );
  return (name) => {
    const variable = variables.get(name);
    if (variable) return variable;
    throw new RangeError(`this model has no weight ${name}`);
  };
};

/** Settings of the training itself. */
export interface TrainerSettings {
  /** Most passes over the training split. */
  epochs: number;
  /** Epochs without a better validation loss before training stops. */
  patience: number;
  /** Adam's, at its peak. */
  learningRate: number;
  schedule: Schedule;
  /** Epochs in which the rate rises to its peak; default: none. */
  warmUpEpochs?: number;
  /** L2 penalty on matrices, added to the gradient as PyTorch's Adam does. */
  weightDecay: number;
  /**
   * Part of the learning rate by which a step moves the output layer's weights toward zero; default: none.
   */
  sparsity?: number;
}

/** One step of learning, as a method sees it. */
export interface LearningStep {
  /** Counted from 0 over all epochs. */
  step: number;
  /** Counted from 0. */
  epoch: number;
  /** Applies a parameter's gradient. */
  update(parameter: Variable, gradient: Tensor, how?: Bias): void;
}

/** A bias whatever its shape: it has no L2 penalty, and its learning rate is multiplied by `speed`. */
interface Bias {
  speed: number;
}

/** What calibration adds to tensors of the fitted model, by their names. */
export type Shifts = Record<string, Float32Array>;

/** What a method gives the trainer. An item is whatever its batches are made of: a patient, a visit. */
export interface TrainingMethod<N extends TrainableNetwork> {
  /** Of the generator, for messages. */
  name: string;
  /** Those of the training, beside those of the method. */
  settings: TrainerSettings & Record<string, unknown>;
  /** Aggregates for people, beside those that the trainer reports. */
  facts(network: N): Record<string, number | string>;
  /** What the training will need, checked before the network is built. */
  memory: { need: TrainingMemory; advice: string; limitGib: number | undefined };
  /** The network with its first weights. */
  open(): Promise<N>;
  /** The same network with the value and Adam slots of each part from a checkpoint. */
  rebuild(network: N, initial: (part: TrainableWeight) => Partial<VariableState>): N | Promise<N>;
  /**
   * The batches of an epoch (from 0), as items of each: equally many in every epoch, and the same whenever
   * they are asked for.
   */
  batchesOf(epoch: number): readonly Int32Array[];
  /**
   * Forward and backward on one batch; every parameter's gradient goes to `update` once. Gives the mean loss.
   */
  learn(network: N, items: Int32Array, step: LearningStep): Promise<number>;
  /** Epochs after which training ends, though the schedule is of all; absent: after all. */
  stopAfter?: number;
  /**
   * Whether validation stops training and chooses weights; absent: where there are enough patients for it.
   */
  steers?: boolean;
  /** Names of the weights that `sparsity` is about; absent: none. */
  sparse?(name: string): boolean;
  /** Batches of the validation split, and how many patients they hold; without any, nothing is validated. */
  validation: { patients: number; batches: readonly Int32Array[] };
  /** Summed loss of a validation batch, and the cells that it is to be divided by. */
  loss(network: N, items: Int32Array): Promise<{ sum: number; cells: number }>;
  /** The model of these weights, before calibration: what a sampler needs. */
  fitted(network: N, weightsOf: (name: string) => Float32Array): Promise<Saved>;
  /** Once training has ended, of the fitted model; absent or without a result: no calibration. */
  calibrate?(fitted: () => Promise<Saved>): Promise<Shifts | undefined>;
}

/** Adds shifts to the tensors of a model, in place. Throws RangeError for a model that lacks one. */
export const addShifts = ({ arrays }: Saved, shifts: Record<string, ArrayLike<number>>): void => {
  for (const [name, shift] of Object.entries(shifts)) {
    const tensor = arrays[name];
    if (!tensor) throw new RangeError(`the model has no ${name} to shift`);
    for (let i = 0; i < shift.length; i++) tensor.data[i] = Number(tensor.data[i]) + (shift[i] as number);
  }
};

const calibrationPrefix = 'calibration/';

const stateSchema = z.object({
  step: z.int().nonnegative(),
  best: z.object({ step: z.int(), loss: z.number() }).nullable(),
});

/**
 * A method in training: one step is one batch; an epoch's last step also validates. Calibration comes with
 * the model, once training has ended.
 */
export class EpochTrainer<N extends TrainableNetwork> implements Checkpointable {
  /** Upper bound of the steps. */
  readonly steps: number;
  /** With every default decided. */
  readonly settings: Record<string, unknown>;
  readonly facts: Record<string, number | string>;
  readonly #method: TrainingMethod<N>;
  readonly #cursor: EpochCursor;
  readonly #isSteered: boolean;
  /** Steps that the schedule of the learning rate is made for. */
  readonly #scheduled: number;
  #network: N;
  #bestLoss = Number.POSITIVE_INFINITY;
  #bestWeights = new Map<string, Float32Array>();
  #shifts: Shifts | undefined;
  #epochBatches: { epoch: number; batches: readonly Int32Array[] } | undefined;

  private constructor(method: TrainingMethod<N>, network: N) {
    this.#method = method;
    this.#network = network;
    const { settings, validation, memory } = method;
    const { epochs, patience } = settings;
    const batches = method.batchesOf(0).length;
    this.#cursor = new EpochCursor({
      batches,
      epochs: Math.min(epochs, method.stopAfter ?? epochs),
      patience,
    });
    this.steps = this.#cursor.steps;
    this.#scheduled = batches * epochs;
    this.#isSteered = method.steers ?? isSteered(validation.patients);
    this.settings = settings;
    this.facts = {
      ...method.facts(network),
      memoryMib: Math.round(memory.need.total / 2 ** 20),
      earlyStopping: this.#isSteered
        ? `after ${patience} epochs without a better validation loss`
        : `off: ${validation.patients} patients to validate on, ${fewestToSteer} needed`,
    };
  }

  /** Throws OutOfMemory when what a training of this size needs is not free. */
  static async start<N extends TrainableNetwork>(method: TrainingMethod<N>): Promise<EpochTrainer<N>> {
    const { need, advice, limitGib } = method.memory;
    requireTrainingMemory(method.name, need, advice, limitGib);
    return new EpochTrainer(method, await method.open());
  }

  get finished(): boolean {
    return this.#cursor.finished;
  }

  #batchesOf(epoch: number): readonly Int32Array[] {
    if (this.#epochBatches?.epoch !== epoch)
      this.#epochBatches = { epoch, batches: this.#method.batchesOf(epoch) };
    return this.#epochBatches.batches;
  }

  /** Learns from one batch. `epoch` counts from 1; `validationLoss` where an epoch has just ended. */
  async step(): Promise<{ loss: number; epoch: number; validationLoss?: number }> {
    const { step, epoch, position, batches, isEpochEnd } = this.#cursor;
    const { learningRate, schedule, warmUpEpochs = 0, weightDecay } = this.#method.settings;
    const warmUp = Math.round(warmUpEpochs * batches);
    const rates = adamRates(step + 1, scheduledRate(schedule, learningRate, step, this.#scheduled, warmUp));
    const loss = await this.#method.learn(this.#network, this.#batchesOf(epoch)[position] as Int32Array, {
      step,
      epoch,
      update: (parameter, gradient, bias) =>
        bias
          ? this.#update(parameter, gradient, { ...rates, rate: bias.speed * rates.rate }, 0)
          : this.#update(parameter, gradient, rates, weightDecay),
    });
    this.#cursor.advance();
    const validates = isEpochEnd && this.#method.validation.batches.length > 0;
    const validation = validates ? { validationLoss: await this.#validate() } : {};
    return { loss, epoch: epoch + 1, ...validation };
  }

  /**
   * Adam, with the L2 penalty on matrices and a proximal step for an L1 penalty. As Adam divides by the root
   * mean square of a weight's gradients, `sparsity` is a threshold for their mean in units of it: a weight
   * stays zero whose gradients do not agree from batch to batch.
   */
  #update(parameter: Variable, gradient: Tensor, plain: AdamRates, weightDecay: number): void {
    const { ops } = this.#network;
    const { sparsity = 0 } = this.#method.settings;
    const isSparse = sparsity > 0 && parameter.shape.length > 1 && this.#method.sparse?.(parameter.name);
    const rates = isSparse ? { ...plain, shrink: sparsity * plain.rate } : plain;
    if (weightDecay === 0 || parameter.shape.length < 2) {
      ops.adam(parameter, gradient, rates);
      return;
    }
    const penalized = ops.add(gradient, ops.scale(parameter, weightDecay));
    ops.adam(parameter, penalized, rates);
    ops.free(penalized);
  }

  /** Mean loss over the validation split; the best weights so far are kept beside the current ones. */
  async #validate(): Promise<number> {
    let sum = 0;
    let cells = 0;
    for (const items of this.#method.validation.batches) {
      const part = await this.#method.loss(this.#network, items);
      sum += part.sum;
      cells += part.cells;
    }
    const loss = sum / cells;
    // Not a number is never lower.
    if (this.#isSteered && loss < this.#bestLoss) {
      this.#bestLoss = loss;
      this.#cursor.improve();
      await this.#keepWeights();
    }
    return loss;
  }

  async #keepWeights(): Promise<void> {
    const { ops, weights, pace } = this.#network;
    for (const { name } of weights) {
      const values = ops.download(this.#network.variable(name));
      const before = this.#bestWeights.get(name);
      this.#bestWeights.set(name, values);
      if (before) release(before);
      await pace.rest();
    }
  }

  /** The model before calibration: of the best weights, or of the last ones where no validation steers. */
  #fitted(): Promise<Saved> {
    const network = this.#network;
    return this.#method.fitted(
      network,
      (name) => this.#bestWeights.get(name) ?? network.ops.download(network.variable(name)),
    );
  }

  /** The fitted model, calibrated where training has ended. */
  async model(): Promise<Saved> {
    if (this.finished) this.#shifts ??= await this.#method.calibrate?.(() => this.#fitted());
    const model = await this.#fitted();
    if (this.#shifts) addShifts(model, this.#shifts);
    return model;
  }

  save(): Saving {
    const arrays: Saving['arrays'] = {};
    const { ops, weights } = this.#network;
    for (const { name, shape } of weights) {
      const variable = this.#network.variable(name);
      for (const slot of ['value', 'mean', 'square'] as const)
        arrays[`${slot}/${name}`] = { shape, read: () => ops.slot(variable, slot) };
      const best = this.#bestWeights.get(name);
      if (best) arrays[`best/${name}`] = { shape, data: best };
    }
    for (const [name, data] of Object.entries(this.#shifts ?? {}))
      arrays[calibrationPrefix + name] = { shape: [data.length], data };
    const { step, bestStep } = this.#cursor;
    const best = bestStep === null ? null : { step: bestStep, loss: this.#bestLoss };
    return { arrays, json: { step, best } };
  }

  /** Throws ArtifactCorrupt when the checkpoint is of another shape of model. */
  async load({ arrays, json }: Saved): Promise<void> {
    const find = (slot: string, { name, shape }: TrainableWeight): Float32Array => {
      const found = arrays[`${slot}/${name}`];
      if (found?.data instanceof Float32Array && found.shape.join() === shape.join()) return found.data;
      throw new StageError(
        'ArtifactCorrupt',
        `${this.#method.name} checkpoint: expected ${slot}/${name} of shape [${shape}], found ` +
          `${found ? `shape [${found.shape}]` : 'none'}; delete the checkpoint and train again`,
      );
    };
    const state = stateSchema.parse(json);
    const slots = new Map<string, VariableState>();
    const best = new Map<string, Float32Array>();
    for (const part of this.#network.weights) {
      const [value, mean, square] = [find('value', part), find('mean', part), find('square', part)];
      slots.set(part.name, { value, mean, square });
      if (state.best) best.set(part.name, find('best', part).slice());
      await this.#network.pace.rest();
    }
    const old = this.#network;
    old.dispose();
    this.#network = await this.#method.rebuild(old, ({ name }) => slots.get(name) ?? {});
    this.#cursor.step = state.step;
    this.#cursor.bestStep = state.best?.step ?? null;
    this.#bestLoss = state.best?.loss ?? Number.POSITIVE_INFINITY;
    this.#bestWeights = best;
    const shifts = Object.entries(arrays).flatMap(([name, { data }]) =>
      name.startsWith(calibrationPrefix) && data instanceof Float32Array
        ? [[name.slice(calibrationPrefix.length), data.slice()] as const]
        : [],
    );
    this.#shifts = shifts.length > 0 ? Object.fromEntries(shifts) : undefined;
  }

  /** Frees all tensors. */
  dispose(): void {
    this.#network.dispose();
    this.#bestWeights.clear();
  }
}

/** Whether validation stops training and chooses weights. */
export const isSteered = (validationPatients: number): boolean => validationPatients >= fewestToSteer;
