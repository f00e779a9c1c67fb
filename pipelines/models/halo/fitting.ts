import { z } from 'zod';
import { StageError } from '../../../schemas/errors.ts';
import type { NamedArray, Saved } from '../../checkpointable.ts';
import { patientCount, type VisitColumns } from '../../cohort/visit-columns.ts';
import type { Fitting, StepReport, TrainingData } from '../../generator.ts';
import { adamRates } from '../../nn/adam.ts';
import { openOps } from '../../nn/open-ops.ts';
import type { AdamRates, Tensor, Variable, VariableState } from '../../nn/ops.ts';
import { RandomSource } from '../../random.ts';
import { type Architecture, layoutOf } from './architecture.ts';
import { type Batch, packPatients } from './batch.ts';
import { architectureOf, fewestToSteer, type HaloConfig, type HaloSettings, resolveHalo } from './config.ts';
import { initialValues } from './initial.ts';
import { HaloNetwork } from './network.ts';
import { type Part, toReference } from './parts.ts';

const stateSchema = z.object({
  step: z.int().nonnegative(),
  best: z.object({ step: z.int(), loss: z.number() }).nullable(),
});
type State = z.output<typeof stateSchema>;

/** Patients that can be learned from: those with a visit. */
const withVisits = (columns: VisitColumns): Int32Array =>
  Int32Array.from({ length: patientCount(columns) }, (_, patient) => patient).filter(
    (patient) => columns.visitOffsets[patient] !== columns.visitOffsets[patient + 1],
  );

/** Visits beyond `maxVisits`, which nothing is learned from. */
const cutVisits = ({ visitOffsets }: VisitColumns, maxVisits: number): number =>
  visitOffsets.reduce((cut, end, i) => cut + Math.max(0, end - (visitOffsets[i - 1] ?? 0) - maxVisits), 0);

/** HALO being trained: one step is one batch; an epoch's last step also validates. */
export class HaloFitting implements Fitting {
  readonly steps: number;
  readonly settings: HaloSettings;
  readonly facts: Record<string, number | string>;
  readonly #data: TrainingData;
  readonly #architecture: Architecture;
  readonly #order: RandomSource;
  readonly #training: Int32Array;
  readonly #validation: Int32Array;
  readonly #stepsPerEpoch: number;
  #network: HaloNetwork;
  #state: State = { step: 0, best: null };
  #bestWeights = new Map<string, Float32Array>();
  #epochOrder: { epoch: number; patients: Int32Array } | undefined;

  private constructor(data: TrainingData, settings: HaloSettings, seed: number, network: HaloNetwork) {
    this.settings = settings;
    this.#data = data;
    this.#architecture = network.architecture;
    this.#network = network;
    this.#order = new RandomSource(seed, 'order');
    this.#training = withVisits(data.train);
    this.#validation = withVisits(data.validation);
    this.#stepsPerEpoch = Math.ceil(this.#training.length / settings.batch);
    this.steps = this.#stepsPerEpoch * settings.epochs;
    this.facts = {
      parameters: network.parameters,
      visitsCut: cutVisits(data.train, settings.maxVisits),
      patientsWithoutVisits: patientCount(data.train) - this.#training.length,
      earlyStopping: this.#steered
        ? `after ${settings.patience} epochs without a better validation loss`
        : `off: ${this.#validation.length} patients to validate on, ${fewestToSteer} needed`,
    };
  }

  /** Draws fresh weights. Throws TooFewPatients when no training patient has a visit. */
  static async start(data: TrainingData, config: HaloConfig, seed: number): Promise<HaloFitting> {
    if (withVisits(data.train).length === 0)
      throw new StageError('TooFewPatients', 'halo: the training split has no patient with a visit');
    const settings = resolveHalo(config, data.train);
    const architecture = architectureOf(settings, data.vocabulary);
    const initial = initialValues(
      architecture,
      new RandomSource(seed, 'weights'),
      data.train,
      settings.start,
    );
    const ops = await openOps();
    const network = new HaloNetwork(ops, architecture, settings.blockColumns, (part) => ({
      value: initial(part),
    }));
    return new HaloFitting(data, settings, seed, network);
  }

  get #steered(): boolean {
    return this.#validation.length >= fewestToSteer;
  }

  get finished(): boolean {
    const { step, best } = this.#state;
    const patience = this.settings.patience * this.#stepsPerEpoch;
    return step >= this.steps || (best !== null && step - best.step >= patience);
  }

  /** The patients of one epoch, in the order that (seed, epoch) gives: the cursor is (epoch, position). */
  #patientsOf(epoch: number): Int32Array {
    if (this.#epochOrder?.epoch !== epoch) {
      const permutation = this.#order.permutation(this.#training.length, epoch);
      this.#epochOrder = { epoch, patients: permutation.map((i) => this.#training[i] as number) };
    }
    return this.#epochOrder.patients;
  }

  #pack(columns: VisitColumns, patients: Int32Array, position: number): Batch {
    const { batch, maxVisits } = this.settings;
    const some = patients.subarray(position * batch, (position + 1) * batch);
    return packPatients(layoutOf(this.#architecture), columns, some, maxVisits);
  }

  get #scale() {
    const { lossNormalization: normalization, positiveWeight, maxVisits } = this.settings;
    return { normalization, positiveWeight, maxVisits };
  }

  /** Cosine: Loshchilov and Hutter, SGDR, 2017, equation 5, without restarts. */
  get #learningRate(): number {
    const { learningRate, schedule } = this.settings;
    if (schedule === 'constant') return learningRate;
    return (learningRate / 2) * (1 + Math.cos((Math.PI * this.#state.step) / this.steps));
  }

  async step(): Promise<StepReport> {
    const { step } = this.#state;
    const epoch = Math.floor(step / this.#stepsPerEpoch);
    const position = step % this.#stepsPerEpoch;
    const batch = this.#pack(this.#data.train, this.#patientsOf(epoch), position);
    const rates = adamRates(step + 1, this.#learningRate);
    const loss = await this.#network.learn(batch, this.#scale, (parameter, gradient) =>
      this.#update(parameter, gradient, rates),
    );
    this.#state.step = step + 1;
    const report = { loss, epoch: epoch + 1 };
    if (position + 1 < this.#stepsPerEpoch || this.#validation.length === 0) return report;
    return { ...report, validationLoss: await this.#validate() };
  }

  #update(parameter: Variable, gradient: Tensor, rates: AdamRates): void {
    const { ops } = this.#network;
    const { weightDecay } = this.settings;
    if (weightDecay === 0 || parameter.shape.length < 2) {
      ops.adam(parameter, gradient, rates);
      return;
    }
    const penalized = ops.add(gradient, ops.scale(parameter, weightDecay));
    ops.adam(parameter, penalized, rates);
    ops.free(penalized);
  }

  /** Mean loss over the validation split; the best weights so far are put aside. */
  async #validate(): Promise<number> {
    let sum = 0;
    let cells = 0;
    for (let position = 0; position * this.settings.batch < this.#validation.length; position++) {
      const batch = this.#pack(this.#data.validation, this.#validation, position);
      const part = await this.#network.loss(batch, this.#scale);
      sum += part.sum;
      cells += part.cells;
    }
    const loss = sum / cells;
    const { best, step } = this.#state;
    if (this.#steered && Number.isFinite(loss) && (best === null || loss < best.loss)) {
      this.#state.best = { step, loss };
      for (const { name } of this.#network.parts) {
        this.#bestWeights.set(name, this.#network.ops.download(this.#network.variable(name)));
        await this.#network.pace.rest();
      }
    }
    return loss;
  }

  save(): Saved {
    const arrays: Record<string, NamedArray> = {};
    for (const { name, shape } of this.#network.parts) {
      const state = this.#network.ops.state(this.#network.variable(name));
      for (const [slot, data] of Object.entries(state)) arrays[`${slot}/${name}`] = { shape, data };
      const best = this.#bestWeights.get(name);
      if (best) arrays[`best/${name}`] = { shape, data: best };
    }
    return { arrays, json: structuredClone(this.#state) };
  }

  /** Takes up a saved training. Throws ArtifactCorrupt when it is of another shape of model. */
  load(saved: Saved): void {
    const find = (slot: string, part: Part): Float32Array => {
      const found = saved.arrays[`${slot}/${part.name}`];
      if (!(found?.data instanceof Float32Array) || found.shape.join() !== part.shape.join())
        throw new StageError(
          'ArtifactCorrupt',
          `halo checkpoint: ${slot}/${part.name} does not fit the model`,
        );
      return found.data;
    };
    const state = stateSchema.parse(saved.json);
    const { parts, ops, architecture } = this.#network;
    const slots = new Map<string, VariableState>();
    const best = new Map<string, Float32Array>();
    for (const part of parts) {
      slots.set(part.name, {
        value: find('value', part),
        mean: find('mean', part),
        square: find('square', part),
      });
      if (state.best) best.set(part.name, find('best', part).slice());
    }
    this.#network.dispose();
    const { blockColumns } = this.settings;
    this.#network = new HaloNetwork(ops, architecture, blockColumns, ({ name }) => slots.get(name) ?? {});
    this.#state = state;
    this.#bestWeights = best;
  }

  /** The best weights seen (the last ones where nothing was validated), as the reference names and shapes them. */
  model(): Saved {
    const { parts, ops } = this.#network;
    const weightsOf = (name: string) =>
      this.#bestWeights.get(name) ?? ops.download(this.#network.variable(name));
    return {
      arrays: toReference(this.#architecture, parts, ({ name }) => weightsOf(name)),
      json: { architecture: this.#architecture },
    };
  }

  dispose(): void {
    this.#network.dispose();
    this.#bestWeights.clear();
  }
}
