/**
 * How long to train where the validation split is too small to show it. The training patients are divided
 * into folds; a model per fold learns from the others, all side by side, and after each epoch the mean loss
 * of the patients left out, beside that of the others, says how far a model of so many patients may go before
 * it only learns them by heart. Then one model learns from all of them, for the best number of epochs of the
 * same schedule.
 */
import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import type { Saved, Saving } from '../kernel/checkpointable.ts';
import { RandomSource } from '../kernel/random.ts';
import {
  EpochTrainer,
  isSteered,
  type TrainableNetwork,
  type TrainingMethod,
} from '../nn/training/epoch-trainer.ts';
import { requireTrainingMemory, type TrainingMemory } from '../nn/training/training-memory.ts';
import { selectPatients, withVisits } from '../patients/visit-columns.ts';
import type { Fitting, StepReport, TrainingData } from './generator.ts';

/** The trainer's method on some training and validation patients. */
type MethodOf<N extends TrainableNetwork> = (data: TrainingData) => TrainingMethod<N>;

/** A use of the seed's order that no epoch has. */
const dividing = 2 ** 46;

/**
 * Fold by fold: the training patients but those of the fold, and those of the fold in place of validation.
 */
export const foldsOf = (data: TrainingData, folds: number, seed: number): TrainingData[] => {
  const patients = withVisits(data.train);
  const order = new RandomSource(seed, 'order').permutation(patients.length, dividing);
  return Array.from({ length: folds }, (_, fold) => {
    const pick = (isChosen: (place: number) => boolean) =>
      selectPatients(
        data.train,
        Int32Array.from(
          order.filter((_, place) => isChosen(place)),
          (i) => patients[i] as number,
        ).sort(),
      );
    return {
      ...data,
      train: pick((place) => place % folds !== fold),
      validation: pick((place) => place % folds === fold),
    };
  });
};

/**
 * A training of `data`, cross-validated first where `folds` are 2 or more and the validation split is too
 * small to steer. Throws as EpochTrainer.start.
 */
export const startTraining = async <N extends TrainableNetwork>(
  methodOf: MethodOf<N>,
  data: TrainingData,
  { folds, seed }: { folds: number; seed: number },
): Promise<Fitting> => {
  const method = methodOf(data);
  const patients = withVisits(data.train).length;
  if (folds < 2 || patients < 2 * folds || isSteered(method.validation.patients))
    return EpochTrainer.start(method);
  return CrossValidated.start(method, foldsOf(data, folds, seed).map(methodOf));
};

const times = (need: TrainingMemory, count: number): TrainingMemory => {
  const { weights, moments, gradients, best, batch, written, total } = need;
  return {
    ...{ weights: count * weights, moments: count * moments, gradients: count * gradients },
    ...{ best: count * best, batch: count * batch, written: count * written, total: count * total },
  };
};

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** An epoch of the folds' models, in parts: what of it has been done. */
interface EpochOfFolds {
  /** Fold by fold, of the patients left out at its end; of the folds that have ended it. */
  losses: number[];
  /** Of the batches learned from, summed, and how many. */
  learned: number;
  batches: number;
}

/** Patients left out must gain at least this share of what those gain that are learned from. */
const leastShare = 0.5;

/** Whether most of what an epoch (from 0) gains over the one before is gained for all patients. */
const generalizes = (epochs: readonly EpochOfFolds[], i: number): boolean => {
  const [before, epoch] = [epochs[i - 1], epochs[i]];
  if (!before || !epoch) return true;
  const learned = before.learned / before.batches - epoch.learned / epoch.batches;
  return mean(before.losses) - mean(epoch.losses) >= leastShare * learned;
};

/** Index of the lowest mean loss; not a number is never lowest. */
const lowest = (epochs: readonly EpochOfFolds[]): number =>
  epochs.reduce(
    (best, { losses }, i) => (mean(losses) < mean((epochs[best] as EpochOfFolds).losses) ? i : best),
    0,
  );

/**
 * Of the epochs, from 1, before the first one that does not generalize: the first whose loss is above the
 * lowest by no more than one standard error of that difference over the folds. Later epochs surely learn
 * training patients by heart, and not surely anything else. Breiman, Friedman, Olshen, Stone, Classification
 * and regression trees, 1984, section 3.4.3.
 */
export const chosenEpoch = (epochs: readonly EpochOfFolds[]): number => {
  const end = epochs.findIndex((_, i) => !generalizes(epochs, i));
  const some = end < 0 ? epochs : epochs.slice(0, end);
  const best = (some[lowest(some)] as EpochOfFolds).losses;
  const isAsGood = ({ losses }: EpochOfFolds): boolean => {
    const above = losses.map((loss, fold) => loss - (best[fold] as number));
    const middle = mean(above);
    const variance = above.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (above.length - 1);
    return middle <= Math.sqrt(variance / above.length);
  };
  return 1 + Math.max(0, some.findIndex(isAsGood));
};

const stateSchema = z.object({
  epochs: z.array(z.object({ losses: z.array(z.number()), learned: z.number(), batches: z.int() })),
  folds: z.array(z.record(z.string(), z.unknown())),
  /** Of the training on all patients; null before it begins. */
  whole: z.record(z.string(), z.unknown()).nullable(),
});

const unbegun = (): EpochOfFolds => ({ losses: [], learned: 0, batches: 0 });

class CrossValidated<N extends TrainableNetwork> implements Fitting {
  readonly settings: Record<string, unknown>;
  readonly #method: TrainingMethod<N>;
  readonly #memoryMib: number;
  readonly #count: number;
  readonly #most: number;
  #facts: Record<string, number | string>;
  #folds: EpochTrainer<N>[];
  #whole: EpochTrainer<N> | undefined;
  /** The last one is in progress, or ended the folds. */
  #epochs: EpochOfFolds[] = [unbegun()];

  private constructor(method: TrainingMethod<N>, folds: EpochTrainer<N>[], need: TrainingMemory) {
    this.#method = method;
    this.#folds = folds;
    this.#count = folds.length;
    this.#facts = folds[0]?.facts ?? {};
    this.#memoryMib = Math.round(need.total / 2 ** 20);
    this.settings = method.settings;
    const all = method.batchesOf(0).length * method.settings.epochs;
    this.#most = folds.reduce((sum, { steps }) => sum + steps, all);
  }

  static async start<N extends TrainableNetwork>(
    method: TrainingMethod<N>,
    parts: readonly TrainingMethod<N>[],
  ): Promise<CrossValidated<N>> {
    const { need, advice, limitGib } = method.memory;
    const all = times(need, parts.length);
    requireTrainingMemory(method.name, all, `\`folds: 0\`, or ${advice}`, limitGib);
    const folds: EpochTrainer<N>[] = [];
    for (const part of parts) {
      // The counts among the facts are of all training patients; a fold is never sampled from.
      const { facts } = method;
      folds.push(await EpochTrainer.start({ ...part, facts, steers: false, calibrate: undefined }));
    }
    return new CrossValidated(method, folds, all);
  }

  get facts(): Record<string, number | string> {
    const chosen = `cross-validation with ${this.#count} folds`;
    return {
      ...this.#facts,
      memoryMib: this.#memoryMib,
      earlyStopping: this.#whole
        ? `after epoch ${this.#chosen} of at most ${this.#method.settings.epochs}, chosen by ${chosen}`
        : `after the epoch that ${chosen} chooses`,
    };
  }

  /** All epochs of all folds and of the whole, as long as nothing is chosen; then what is left is known. */
  get steps(): number {
    if (!this.#whole) return this.#most;
    return this.#epochs.reduce((sum, { batches }) => sum + batches, this.#whole.steps);
  }

  get #chosen(): number {
    return chosenEpoch(this.#epochs);
  }

  get finished(): boolean {
    return this.#whole?.finished ?? false;
  }

  async step(): Promise<StepReport> {
    if (this.#whole) return { ...(await this.#whole.step()), isRepeat: true };
    const current = this.#epochs.at(-1) as EpochOfFolds;
    const { losses } = current;
    const fold = this.#folds[losses.length] as EpochTrainer<N>;
    const words = `fold ${losses.length + 1} of ${this.#count}`;
    const { loss, epoch, validationLoss } = await fold.step();
    current.learned += loss;
    current.batches++;
    const report = { loss, epoch, fold: words };
    if (validationLoss === undefined) return report;
    losses.push(validationLoss);
    if (losses.length < this.#count) return report;
    const { epochs, patience } = this.#method.settings;
    const isStale = epoch - 1 - lowest(this.#epochs) >= patience;
    if (epoch === epochs || isStale || !generalizes(this.#epochs, epoch - 1)) await this.#goWhole();
    else this.#epochs.push(unbegun());
    return { ...report, validationLoss: mean(losses) };
  }

  /** From the folds' models to the one of all patients. */
  async #goWhole(): Promise<void> {
    for (const fold of this.#folds) fold.dispose();
    this.#folds = [];
    this.#whole = await EpochTrainer.start({ ...this.#method, stopAfter: this.#chosen });
    this.#facts = this.#whole.facts;
  }

  model(): Promise<Saved> {
    const trained = this.#whole ?? this.#folds[0];
    if (!trained) throw new RangeError('this training is disposed');
    return trained.model();
  }

  async save(): Promise<Saving> {
    const whole = this.#whole?.save();
    const folds = this.#folds.map((fold) => fold.save());
    const arrays = folds.flatMap((saving, fold) =>
      Object.entries(saving.arrays).map(([name, array]) => [`fold${fold}/${name}`, array] as const),
    );
    const epochs = this.#epochs.map((epoch) => ({ ...epoch, losses: [...epoch.losses] }));
    const json = { epochs, folds: folds.map((saving) => saving.json), whole: whole?.json ?? null };
    return { arrays: { ...whole?.arrays, ...Object.fromEntries(arrays) }, json };
  }

  /** Throws ArtifactCorrupt when the checkpoint is of another training. */
  async load({ arrays, json }: Saved): Promise<void> {
    const state = stateSchema.safeParse(json).data;
    if (!state || (!state.whole && state.folds.length !== this.#count))
      throw new StageError(
        'ArtifactCorrupt',
        `${this.#method.name} checkpoint: expected a cross-validated training with ${this.#count} folds, found ` +
          'another one; delete the checkpoint and train again',
      );
    this.#epochs = state.epochs;
    if (state.whole) {
      if (!this.#whole) await this.#goWhole();
      await this.#whole?.load({ arrays, json: state.whole });
      return;
    }
    for (const [i, fold] of this.#folds.entries()) {
      const prefix = `fold${i}/`;
      const own = Object.entries(arrays).filter(([name]) => name.startsWith(prefix));
      await fold.load({
        arrays: Object.fromEntries(own.map(([name, array]) => [name.slice(prefix.length), array])),
        json: state.folds[i] as Record<string, unknown>,
      });
    }
  }

  dispose(): void {
    for (const fold of this.#folds) fold.dispose();
    this.#whole?.dispose();
  }
}
