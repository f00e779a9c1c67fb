import { StageError } from '../../../../schemas/errors.ts';
import type { Fitting, StepReport, TrainingData } from '../../../generation/generator.ts';
import type { Saved, Saving } from '../../../kernel/checkpointable.ts';
import { RandomSource } from '../../../kernel/random.ts';
import { adamRates } from '../../../nn/layers/adam.ts';
import { openOps } from '../../../nn/ops/open-ops.ts';
import { scheduledRate } from '../../../nn/training/learning-rate.ts';
import { fewestToSteer, TrainingState } from '../../../nn/training/training-state.ts';
import { patientCount, type VisitColumns } from '../../../patients/visit-columns.ts';
import { type Architecture, layoutOf } from '../network/architecture.ts';
import { type Batch, packPatients } from '../network/batch.ts';
import { HaloNetwork } from '../network/network.ts';
import { toReference, type Weight } from '../network/weight-layout.ts';
import { groupsOf } from '../sampling/sampler.ts';
import { calibrate, shiftLogits } from './calibration.ts';
import { coarseValues, isBetweenCodes } from './coarse.ts';
import { architectureOf, type HaloConfig, type HaloSettings, resolveHalo } from './config.ts';
import { initialValues } from './initial-weights.ts';
import { type MemoryNeed, memoryNeed, requireMemory } from './memory-need.ts';
import { type HaloStart, placedLike, sizedLike } from './warm-weights.ts';

/** Patients that can be learned from: those with a visit. */
const withVisits = (columns: VisitColumns): Int32Array =>
  Int32Array.from({ length: patientCount(columns) }, (_, patient) => patient).filter(
    (patient) => columns.visitOffsets[patient] !== columns.visitOffsets[patient + 1],
  );

/** Patients in the order of an epoch. */
const orderOf = (random: RandomSource, patients: Int32Array, epoch: number): Int32Array =>
  random.permutation(patients.length, epoch).map((i) => patients[i] as number);

/** Visits beyond `maxVisits`, which nothing is learned from. */
const cutVisits = ({ visitOffsets }: VisitColumns, maxVisits: number): number =>
  visitOffsets.reduce((cut, end, i) => cut + Math.max(0, end - (visitOffsets[i - 1] ?? 0) - maxVisits), 0);

/** Settings and architecture, those of the model that training starts from where there is one. */
const sizedFor = (data: TrainingData, config: HaloConfig, start: HaloStart | undefined) => {
  const settings = resolveHalo(start ? sizedLike(config, start) : config, data.train);
  const architecture = architectureOf(settings, data.vocabulary);
  return start ? placedLike(settings, architecture, start) : { settings, architecture };
};

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
  readonly #state: TrainingState<HaloNetwork>;
  /** What calibration adds to each column's logit, once training has ended. */
  #shift: Float32Array | undefined;
  readonly #seed: number;
  #epochOrder: { epoch: number; patients: Int32Array } | undefined;

  private constructor(
    data: TrainingData,
    settings: HaloSettings,
    seed: number,
    network: HaloNetwork,
    need: MemoryNeed,
  ) {
    this.settings = settings;
    this.#seed = seed;
    this.#data = data;
    this.#architecture = network.architecture;
    const { ops, architecture } = network;
    this.#state = new TrainingState('halo', network, (initial) =>
      HaloNetwork.build(ops, architecture, settings.blockColumns, initial),
    );
    this.#order = new RandomSource(seed, 'order');
    this.#training = withVisits(data.train);
    this.#validation = withVisits(data.validation);
    this.#stepsPerEpoch = Math.ceil(this.#training.length / settings.batch);
    this.steps = this.#stepsPerEpoch * settings.epochs;
    this.facts = {
      parameters: network.parameters,
      memoryMib: Math.round(need.total / 2 ** 20),
      visitsCut: cutVisits(data.train, settings.maxVisits),
      patientsWithoutVisits: patientCount(data.train) - this.#training.length,
      earlyStopping: this.#steered
        ? `after ${settings.patience} epochs without a better validation loss`
        : `off: ${this.#validation.length} patients to validate on, ${fewestToSteer} needed`,
    };
  }

  /**
   * Draws fresh weights, or takes those of `start`. Throws TooFewPatients when no training patient has a visit,
   * OutOfMemory when what a training of this size takes is not there.
   */
  static async start(
    data: TrainingData,
    config: HaloConfig,
    seed: number,
    start?: HaloStart,
  ): Promise<HaloFitting> {
    const patients = withVisits(data.train);
    if (patients.length === 0)
      throw new StageError('TooFewPatients', 'halo: the training split has no patient with a visit');
    const { settings, architecture } = sizedFor(data, config, start);
    const order = orderOf(new RandomSource(seed, 'order'), patients, 0);
    const isSteered = withVisits(data.validation).length >= fewestToSteer;
    const need = memoryNeed(architecture, settings, data.train, order, isSteered);
    requireMemory(need, settings, config.memoryGib);
    const random = new RandomSource(seed, 'weights');
    const ops = await openOps();
    const { blockColumns } = settings;
    const drawn = initialValues(architecture, random, data.train, settings.start);
    const initial = settings.head === 'coarse' ? coarseValues(drawn) : drawn;
    const network = start
      ? await HaloNetwork.fromReference(ops, architecture, blockColumns, start.arrays)
      : await HaloNetwork.build(ops, architecture, blockColumns, (part) => ({ value: initial(part) }));
    return new HaloFitting(data, settings, seed, network, need);
  }

  get #steered(): boolean {
    return this.#validation.length >= fewestToSteer;
  }

  get finished(): boolean {
    const { step, sinceBest } = this.#state;
    return step >= this.steps || sinceBest >= this.settings.patience * this.#stepsPerEpoch;
  }

  /** The patients of one epoch, in the order that (seed, epoch) gives: the cursor is (epoch, position). */
  #patientsOf(epoch: number): Int32Array {
    if (this.#epochOrder?.epoch !== epoch)
      this.#epochOrder = { epoch, patients: orderOf(this.#order, this.#training, epoch) };
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

  async step(): Promise<StepReport> {
    const { step } = this.#state;
    const epoch = Math.floor(step / this.#stepsPerEpoch);
    const position = step % this.#stepsPerEpoch;
    const batch = this.#pack(this.#data.train, this.#patientsOf(epoch), position);
    const { schedule, learningRate, weightDecay } = this.settings;
    const rates = adamRates(step + 1, scheduledRate(schedule, learningRate, step, this.steps));
    const coarse = this.settings.head === 'coarse';
    const loss = await this.#state.network.learn(batch, this.#scale, (parameter, gradient) => {
      if (!(coarse && isBetweenCodes(parameter.name)))
        this.#state.update(parameter, gradient, rates, weightDecay);
    });
    this.#state.advance();
    const ends = position + 1 === this.#stepsPerEpoch && this.#validation.length > 0;
    const validation = ends ? { validationLoss: await this.#validate() } : {};
    if (this.finished) await this.#calibrate();
    return { loss, epoch: epoch + 1, ...validation };
  }

  /** Mean loss over the validation split; the best weights so far are put aside. */
  async #validate(): Promise<number> {
    let sum = 0;
    let cells = 0;
    for (let position = 0; position * this.settings.batch < this.#validation.length; position++) {
      const batch = this.#pack(this.#data.validation, this.#validation, position);
      const part = await this.#state.network.loss(batch, this.#scale);
      sum += part.sum;
      cells += part.cells;
    }
    const loss = sum / cells;
    if (this.#steered) await this.#state.judge(loss);
    return loss;
  }

  async #calibrate(): Promise<void> {
    const { calibration: rounds } = this.settings;
    if (rounds === 0) return;
    // A share of few training patients is known no better than from some thousand drawn ones.
    const patients = Math.min(4096, Math.max(1024, this.#training.length));
    const { vocabulary, train } = this.#data;
    const plan = { rounds, patients, seed: this.#seed, groups: groupsOf(vocabulary) };
    this.#shift = await calibrate(await this.#fitted(), this.#architecture, train, plan);
  }

  save(): Saving {
    const { arrays, json } = this.#state.save();
    const shift = this.#shift && { calibration: { shape: [this.#shift.length], data: this.#shift } };
    return { arrays: { ...arrays, ...shift }, json };
  }
  async load(saved: Saved): Promise<void> {
    await this.#state.load(saved);
    const shift = saved.arrays['calibration']?.data;
    this.#shift = shift instanceof Float32Array ? shift.slice() : undefined;
  }

  /** The best weights seen (the last ones where nothing was validated), as the reference names and shapes them. */
  async model(): Promise<Saved> {
    const model = await this.#fitted();
    if (this.#shift) shiftLogits(model, this.#architecture, this.#shift);
    return model;
  }

  /** The model before calibration. */
  async #fitted(): Promise<Saved> {
    const { weights, pace } = this.#state.network;
    const valuesOf = ({ name }: Weight) => this.#state.weightsOf(name);
    return {
      arrays: await toReference(this.#architecture, weights, valuesOf, pace),
      json: { architecture: this.#architecture },
    };
  }

  dispose(): void {
    this.#state.dispose();
  }
}
