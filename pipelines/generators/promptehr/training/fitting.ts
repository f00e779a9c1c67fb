import { StageError } from '../../../../schemas/errors.ts';
import type { Fitting, StepReport, TrainingData } from '../../../generation/generator.ts';
import type { Saved, Saving } from '../../../kernel/checkpointable.ts';
import { RandomSource } from '../../../kernel/random.ts';
import { adamRates } from '../../../nn/layers/adam.ts';
import { openOps } from '../../../nn/ops/open-ops.ts';
import { scheduledRate } from '../../../nn/training/learning-rate.ts';
import { fewestToSteer, TrainingState } from '../../../nn/training/training-state.ts';
import { patientCount } from '../../../patients/visit-columns.ts';
import { networkOf, PromptNetwork } from '../network/network.ts';
import { headName, toReference } from '../network/weight-layout.ts';
import {
  type Example,
  type ExampleRules,
  generationExamples,
  lengthOf,
  packExamples,
  type Subject,
  subjectsOf,
  trainingExample,
  withVisits,
} from '../records/examples.ts';
import { type PromptModel, writePromptModel } from '../records/prompt-model.ts';
import { streamsOf } from '../records/streams.ts';
import { calibrate, shiftBiases } from './calibration.ts';
import { type PromptConfig, type PromptSettings, resolvePrompt, streamLengths } from './config.ts';
import { firstWeights } from './first-weights.ts';
import { bucketedBatches } from './length-batches.ts';
import { requirePromptMemory } from './memory-need.ts';
import { untrainedModel } from './untrained-model.ts';
import { type PromptStart, settingsFrom } from './warm-weights.ts';

/** Patients drawn in one round of calibration: a share of few training visits is known no better than from these. */
const calibrationPatients = { least: 512, most: 2048 };

const shiftName = (head: string): string => `calibration/${headName(head, 'bias')}`;

/** PromptEHR being trained: one step is one batch of visits; an epoch's last step also validates. */
export class PromptFitting implements Fitting {
  readonly steps: number;
  readonly settings: PromptSettings;
  readonly facts: Record<string, number | string>;
  readonly #data: TrainingData;
  readonly #seed: number;
  readonly #model: PromptModel;
  readonly #rules: ExampleRules;
  readonly #training: Subject[];
  readonly #lengths: Int32Array;
  readonly #validation: Subject[];
  readonly #steered: boolean;
  readonly #stepsPerEpoch: number;
  readonly #random: { order: RandomSource; corruption: RandomSource; dropout: RandomSource };
  readonly #state: TrainingState<PromptNetwork>;
  /** What calibration adds to each head's bias, once training has ended. */
  #shift: Float32Array[] | undefined;
  #epochBatches: { epoch: number; batches: Int32Array[] } | undefined;

  private constructor(
    data: TrainingData,
    model: PromptModel,
    settings: PromptSettings,
    seed: number,
    network: PromptNetwork,
    started: Record<string, number>,
  ) {
    this.settings = settings;
    this.#data = data;
    this.#seed = seed;
    this.#model = model;
    const { tasks, corruption, contextTokens, order } = settings;
    this.#rules = { contextTokens, order, tasks, corrupted: corruption.share, corruption };
    this.#training = subjectsOf(data.train);
    this.#lengths = Int32Array.from(this.#training, lengthOf);
    this.#validation = subjectsOf(data.validation);
    this.#steered = withVisits(data.validation).length >= fewestToSteer;
    this.#stepsPerEpoch = Math.ceil(this.#training.length / settings.batch);
    this.steps = this.#stepsPerEpoch * settings.epochs;
    this.#random = {
      order: new RandomSource(seed, 'order'),
      corruption: new RandomSource(seed, 'corruption'),
      dropout: new RandomSource(seed, 'dropout'),
    };
    const { ops, architecture } = network;
    this.#state = new TrainingState(
      'promptehr',
      network,
      (initial) => new PromptNetwork(ops, architecture, initial),
    );
    const { numeric, categorical, labels } = model.features;
    this.facts = {
      ...started,
      parameters: network.parameters,
      recordsCut: streamLengths(data.train, model.streams.kinds.length).filter(
        (tokens) => tokens > contextTokens,
      ).length,
      patientsWithoutVisits: patientCount(data.train) - withVisits(data.train).length,
      prompts: [...numeric, ...categorical].map(({ name }) => name).join(', ') || 'none',
      labelPrompts: labels.length,
      products: settings.precision === 'bfloat16' && ops.rounded ? 'bfloat16' : 'float32',
      earlyStopping: this.#steered
        ? `after ${settings.patience} epochs without a better validation loss`
        : `off: ${withVisits(data.validation).length} patients to validate on, ${fewestToSteer} needed`,
    };
  }

  /**
   * Draws fresh weights, or takes what it can of `start`. Throws TooFewPatients when no training patient has a visit,
   * InvalidConfig where the config does not fit `start`, OutOfMemory when what it takes is not there.
   */
  static async start(
    data: TrainingData,
    config: PromptConfig,
    seed: number,
    start?: PromptStart,
  ): Promise<PromptFitting> {
    if (withVisits(data.train).length === 0)
      throw new StageError('TooFewPatients', 'promptehr: the training split has no patient with a visit');
    const { kinds } = streamsOf(data.vocabulary);
    const settings = start
      ? settingsFrom(data, config, start)
      : resolvePrompt(config, data.train, kinds.length);
    const model = untrainedModel(data, settings);
    const need = requirePromptMemory(data, model.architecture, settings, seed, config.memoryGib);
    const { values, facts } = await firstWeights(data, model, settings, seed, start);
    const ops = await openOps();
    const network = networkOf(ops, model.architecture, values);
    const told = { ...facts, memoryMib: Math.round(need.total / 2 ** 20) };
    return new PromptFitting(data, model, settings, seed, network, told);
  }

  get finished(): boolean {
    const { step, sinceBest } = this.#state;
    return step >= this.steps || sinceBest >= this.settings.patience * this.#stepsPerEpoch;
  }

  /** The batches of one epoch, which (seed, epoch) gives: the cursor is (epoch, position). */
  #batchesOf(epoch: number): Int32Array[] {
    if (this.#epochBatches?.epoch !== epoch) {
      const batches = bucketedBatches(this.#lengths, this.settings.batch, this.#random.order, epoch);
      this.#epochBatches = { epoch, batches };
    }
    return this.#epochBatches.batches;
  }

  async step(): Promise<StepReport> {
    const { step } = this.#state;
    const epoch = Math.floor(step / this.#stepsPerEpoch);
    const position = step % this.#stepsPerEpoch;
    const { learningRate, schedule, warmUpEpochs, weightDecay, clip, dropout, precision } = this.settings;
    const chosen = this.#batchesOf(epoch)[position] as Int32Array;
    const examples = Array.from(chosen, (index) =>
      trainingExample(
        this.#model.streams,
        this.#rules,
        this.#training[index] as Subject,
        this.#random.corruption,
        epoch,
      ),
    );
    const warmUp = Math.round(warmUpEpochs * this.#stepsPerEpoch);
    const rate = scheduledRate(schedule, learningRate, step, this.steps, warmUp);
    const rates = adamRates(step + 1, rate);
    const loss = await this.#state.network.learn(
      this.#pack(examples, this.#training),
      {
        clip,
        dropout: { rate: dropout, source: this.#random.dropout, step },
        rounded: precision === 'bfloat16',
      },
      (parameter, gradient) => this.#state.update(parameter, gradient, rates, weightDecay),
    );
    this.#state.advance();
    const ends = position + 1 === this.#stepsPerEpoch && this.#validation.length > 0;
    const validation = ends ? { validationLoss: await this.#validate() } : {};
    if (this.finished) await this.#calibrate();
    return { loss, epoch: epoch + 1, ...validation };
  }

  #pack(examples: readonly Example[], [first]: readonly Subject[]) {
    return packExamples(examples, this.#model.features, (first as Subject).columns, this.settings.order);
  }

  /** −ln probability per code and span end of the validation split, as generation factorizes it. */
  async #validate(): Promise<number> {
    let sum = 0;
    let cells = 0;
    const { batch, contextTokens } = this.settings;
    for (let first = 0; first < this.#validation.length; first += batch) {
      const examples = this.#validation
        .slice(first, first + batch)
        .flatMap((subject) => generationExamples(this.#model.streams, contextTokens, subject));
      const part = await this.#state.network.loss(this.#pack(examples, this.#validation));
      sum += part.sum;
      cells += part.cells;
    }
    const loss = sum / cells;
    if (this.#steered) await this.#state.judge(loss);
    return loss;
  }

  async #calibrate(): Promise<void> {
    const { calibration: rounds, start } = this.settings;
    if (rounds === 0 || start === 'random') return;
    const { least, most } = calibrationPatients;
    const patients = Math.min(most, Math.max(least, patientCount(this.#data.train)));
    const plan = { rounds, patients, seed: this.#seed };
    this.#shift = await calibrate(await this.#fitted(), this.#data.vocabulary, this.#data.train, plan);
  }

  save(): Saving {
    const { arrays, json } = this.#state.save();
    const shifted: Saving['arrays'] = { ...arrays };
    for (const [head, data] of this.#shift?.entries() ?? [])
      shifted[shiftName(this.#model.streams.heads[head]?.name ?? '')] = { shape: [data.length], data };
    return { arrays: shifted, json };
  }
  async load(saved: Saved): Promise<void> {
    await this.#state.load(saved);
    const shifts = this.#model.streams.heads.flatMap(({ name }) => {
      const shift = saved.arrays[shiftName(name)]?.data;
      return shift instanceof Float32Array ? [shift.slice()] : [];
    });
    this.#shift = shifts.length > 0 ? shifts : undefined;
  }

  /** The best weights seen (the last ones where nothing was validated), as the reference names and shapes them. */
  async model(): Promise<Saved> {
    const model = await this.#fitted();
    if (this.#shift) shiftBiases(model, this.#model, this.#shift);
    return model;
  }

  /** The model before calibration. */
  async #fitted(): Promise<Saved> {
    const { weights, pace } = this.#state.network;
    const arrays = await toReference(weights, ({ name }) => this.#state.weightsOf(name), pace);
    return { arrays, json: writePromptModel(this.#model) };
  }

  dispose(): void {
    this.#state.dispose();
  }
}
