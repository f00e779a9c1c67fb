import { z } from 'zod';
import { StageError } from '../../../schemas/errors.ts';
import type { Checkpointable, Saved, Saving } from '../../kernel/checkpointable.ts';
import { release } from '../../kernel/free-array.ts';
import type { Pace } from '../../kernel/pace.ts';
import type { AdamRates, Ops, Tensor, Variable, VariableState } from '../ops/ops.ts';

/** A loss over fewer validation patients says nothing: it is told, but neither stops training nor picks weights. */
export const fewestToSteer = 20;

/** A trainable array of a network. */
interface TrainableWeight {
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

const stateSchema = z.object({
  step: z.int().nonnegative(),
  best: z.object({ step: z.int(), loss: z.number() }).nullable(),
});

/** Builds a network from the value and Adam slots of each part. */
type Build<N> = (initial: (part: TrainableWeight) => Partial<VariableState>) => N | Promise<N>;

/** A network on its way: weights, Adam slots, steps done, and the best weights so far, put away and taken up bit for bit. */
export class TrainingState<N extends TrainableNetwork> implements Checkpointable {
  network: N;
  readonly #name: string;
  readonly #build: Build<N>;
  #state: z.output<typeof stateSchema> = { step: 0, best: null };
  #bestWeights = new Map<string, Float32Array>();

  /** `name` is that of the generator, for messages; `build` is called again when a checkpoint is taken up. */
  constructor(name: string, network: N, build: Build<N>) {
    this.#name = name;
    this.network = network;
    this.#build = build;
  }

  /** Steps done. */
  get step(): number {
    return this.#state.step;
  }
  advance(): void {
    this.#state.step++;
  }

  /** Steps since the lowest loss; none while there was no loss. */
  get sinceBest(): number {
    const { step, best } = this.#state;
    return best === null ? 0 : step - best.step;
  }

  /** Adam, with an L2 penalty on matrices added to the gradient, as PyTorch's Adam does. */
  update(parameter: Variable, gradient: Tensor, rates: AdamRates, weightDecay: number): void {
    const { ops } = this.network;
    if (weightDecay === 0 || parameter.shape.length < 2) {
      ops.adam(parameter, gradient, rates);
      return;
    }
    const penalized = ops.add(gradient, ops.scale(parameter, weightDecay));
    ops.adam(parameter, penalized, rates);
    ops.free(penalized);
  }

  /** Puts the weights aside when no finite loss before was as low. */
  async judge(loss: number): Promise<void> {
    const { best, step } = this.#state;
    if (!Number.isFinite(loss) || (best !== null && loss >= best.loss)) return;
    this.#state.best = { step, loss };
    for (const { name } of this.network.weights) {
      const weights = this.network.ops.download(this.network.variable(name));
      const before = this.#bestWeights.get(name);
      this.#bestWeights.set(name, weights);
      if (before) release(before);
      await this.network.pace.rest();
    }
  }

  /** The best weights of a part; the last ones where nothing was judged. */
  weightsOf(name: string): Float32Array {
    return this.#bestWeights.get(name) ?? this.network.ops.download(this.network.variable(name));
  }

  save(): Saving {
    const arrays: Saving['arrays'] = {};
    const { ops } = this.network;
    for (const { name, shape } of this.network.weights) {
      const variable = this.network.variable(name);
      for (const slot of ['value', 'mean', 'square'] as const)
        arrays[`${slot}/${name}`] = { shape, read: () => ops.slot(variable, slot) };
      const best = this.#bestWeights.get(name);
      if (best) arrays[`best/${name}`] = { shape, data: best };
    }
    return { arrays, json: structuredClone(this.#state) };
  }

  /** Takes up a saved training. Throws ArtifactCorrupt when it is of another shape of model. */
  async load(saved: Saved): Promise<void> {
    const find = (slot: string, part: TrainableWeight): Float32Array => {
      const found = saved.arrays[`${slot}/${part.name}`];
      if (!(found?.data instanceof Float32Array) || found.shape.join() !== part.shape.join())
        throw new StageError(
          'ArtifactCorrupt',
          `${this.#name} checkpoint: ${slot}/${part.name} does not fit the model`,
        );
      return found.data;
    };
    const state = stateSchema.parse(saved.json);
    const slots = new Map<string, VariableState>();
    const best = new Map<string, Float32Array>();
    for (const part of this.network.weights) {
      slots.set(part.name, {
        value: find('value', part),
        mean: find('mean', part),
        square: find('square', part),
      });
      if (state.best) best.set(part.name, find('best', part).slice());
      await this.network.pace.rest();
    }
    this.network.dispose();
    this.network = await this.#build(({ name }) => slots.get(name) ?? {});
    this.#state = state;
    this.#bestWeights = best;
  }

  dispose(): void {
    this.network.dispose();
    this.#bestWeights.clear();
  }
}
