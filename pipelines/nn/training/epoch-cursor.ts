import { StageError } from '../../../schemas/errors.ts';
import type { AsyncSteps } from '../../kernel/steps.ts';

/** How long a training is. */
export interface EpochPlan {
  /** In every epoch. */
  batches: number;
  /** Most epochs. */
  epochs: number;
  /** Epochs without a better validation loss before training stops. */
  patience: number;
}

/**
 * Where a training stands, (epoch, position), and whether it has ended: all steps done, or no better loss for
 * too long.
 */
export class EpochCursor {
  readonly batches: number;
  readonly steps: number;
  readonly #patience: number;
  /** Steps done. */
  step = 0;
  /** Steps done when the best validation loss was found; null before there is one. */
  bestStep: number | null = null;

  constructor({ batches, epochs, patience }: EpochPlan) {
    this.batches = batches;
    this.steps = batches * epochs;
    this.#patience = patience * batches;
  }

  /** Of the next step, from 0. */
  get epoch(): number {
    return Math.floor(this.step / this.batches);
  }
  /** Of the next step's batch in its epoch. */
  get position(): number {
    return this.step % this.batches;
  }
  /** Whether the next step is the last of its epoch. */
  get isEpochEnd(): boolean {
    return this.position + 1 === this.batches;
  }
  get finished(): boolean {
    return this.step >= this.steps || (this.bestStep !== null && this.step - this.bestStep >= this.#patience);
  }

  /** One step further. */
  advance(): void {
    this.step++;
  }
  /** The validation loss is the best so far. */
  improve(): void {
    this.bestStep = this.step;
  }
}

/** Epochs of a small set: more passes than `epochs`, until so many updates are reached. */
export const epochsFor = (batches: number, epochs: number, leastUpdates: number): number =>
  Math.max(epochs, Math.ceil(leastUpdates / batches));

/** What `trainEpochs` runs. Epochs count from 1, batches of an epoch from 0. */
export interface EpochLearner<B> {
  batchesOf(epoch: number): Iterable<B>;
  learn(batch: B, epoch: number, index: number): void;
  /**
   * After an epoch: the validation loss of each model trained side by side; absent where nothing is
   * validated.
   */
  validate?(epoch: number): readonly number[];
  /** After an epoch in which the loss of some models is the lowest so far: true for those. */
  improved?(epoch: number, models: readonly boolean[]): void;
}

/**
 * A training inside a metric, from start to end, with a safe point after every batch: for models that are
 * used at once and never written down. It ends early once no model has had a better loss for `patience`
 * epochs. Throws Diverged, naming the models `what`, on a validation loss that is not finite.
 */
export async function* trainEpochs<B>(
  what: string,
  plan: EpochPlan,
  learner: EpochLearner<B>,
): AsyncSteps<void> {
  const cursor = new EpochCursor(plan);
  const lowest: number[] = [];
  while (!cursor.finished) {
    const epoch = cursor.epoch + 1;
    for (const batch of learner.batchesOf(epoch)) {
      learner.learn(batch, epoch, cursor.position);
      cursor.advance();
      yield { step: cursor.step, of: cursor.steps };
    }
    const losses = learner.validate?.(epoch) ?? [];
    if (!losses.every(Number.isFinite))
      throw new StageError(
        'Diverged',
        `${what}: a validation loss is not finite in epoch ${epoch}; lower the learning rate`,
      );
    const better = losses.map((loss, model) => loss < (lowest[model] ?? Number.POSITIVE_INFINITY));
    if (!better.includes(true)) continue;
    for (const [model, loss] of losses.entries()) if (better[model]) lowest[model] = loss;
    cursor.improve();
    learner.improved?.(epoch, better);
  }
}
