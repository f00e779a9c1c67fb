import { StageError } from '../../../schemas/errors.ts';
import type { Saved, Saving } from '../../checkpointable.ts';
import { patientCount, type VisitColumns } from '../../cohort/visit-columns.ts';
import type { Fitting, StepReport, TrainingData } from '../../generator.ts';
import { adamRates } from '../../nn/adam.ts';
import { scheduledRate } from '../../nn/learning-rate.ts';
import { openOps } from '../../nn/open-ops.ts';
import { fewestToSteer, TrainingState } from '../../nn/training-state.ts';
import { RandomSource } from '../../random.ts';
import { promptRows } from './architecture.ts';
import { bucketedBatches } from './buckets.ts';
import { type PromptConfig, type PromptSettings, resolvePrompt, streamLengths } from './config.ts';
import {
  type Example,
  type ExampleRules,
  generationExamples,
  packExamples,
  type Subject,
  trainingExample,
} from './examples.ts';
import { fitFeatures } from './features.ts';
import { initialValues, prevalenceBias } from './initial.ts';
import { fitMarginals } from './marginals.ts';
import { interfaceOf, type PromptModel, writePromptModel } from './model.ts';
import { PromptNetwork } from './network.ts';
import { toReference } from './parts.ts';
import { streamsOf } from './streams.ts';

/** Patients that can be learned from: those with a visit. */
const withVisits = ({ visitOffsets }: VisitColumns): Int32Array =>
  Int32Array.from({ length: visitOffsets.length - 1 }, (_, patient) => patient).filter(
    (patient) => visitOffsets[patient] !== visitOffsets[patient + 1],
  );

/** Every visit of a cohort, with its patient. */
const subjectsOf = (columns: VisitColumns): Subject[] =>
  [...withVisits(columns)].flatMap((patient) => {
    const first = columns.visitOffsets[patient] as number;
    const visits = (columns.visitOffsets[patient + 1] as number) - first;
    return Array.from({ length: visits }, (_, i) => ({ columns, patient, visit: first + i }));
  });

/** Codes of a visit and of those before it: as the lengths of their contexts go. */
const lengthOf = ({ columns: { visitOffsets, codeOffsets }, patient, visit }: Subject): number =>
  (codeOffsets[visit + 1] as number) - (codeOffsets[visitOffsets[patient] as number] as number);

/** The model but for its weights: all that the training split decides before training. */
const modelOf = (data: TrainingData, settings: PromptSettings): PromptModel => {
  const streams = streamsOf(data.vocabulary);
  const features = fitFeatures(data, settings.prompts);
  const { width, encoderLayers, decoderLayers, attentionHeads, feed, promptHidden, tied } = settings;
  const shape = { width, encoderLayers, decoderLayers, attentionHeads, feed, promptHidden, tied };
  const { contextTokens, order } = settings;
  const sides = interfaceOf(streams, features);
  return {
    architecture: {
      ...shape,
      biased: settings.start === 'prevalence',
      ...sides,
      positions: contextTokens + promptRows(sides),
    },
    streams,
    features,
    marginals: fitMarginals(data.train, withVisits(data.train), features, data.vocabulary.labels.length),
    settings: { contextTokens, order },
  };
};

/** PromptEHR being trained: one step is one batch of visits; an epoch's last step also validates. */
export class PromptFitting implements Fitting {
  readonly steps: number;
  readonly settings: PromptSettings;
  readonly facts: Record<string, number | string>;
  readonly #model: PromptModel;
  readonly #rules: ExampleRules;
  readonly #training: Subject[];
  readonly #lengths: Int32Array;
  readonly #validation: Subject[];
  readonly #steered: boolean;
  readonly #stepsPerEpoch: number;
  readonly #random: { order: RandomSource; corruption: RandomSource; dropout: RandomSource };
  readonly #state: TrainingState<PromptNetwork>;
  #epochBatches: { epoch: number; batches: Int32Array[] } | undefined;

  private constructor(
    data: TrainingData,
    model: PromptModel,
    settings: PromptSettings,
    seed: number,
    network: PromptNetwork,
  ) {
    this.settings = settings;
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
      parameters: network.parameters,
      recordsCut: streamLengths(data.train, model.streams.kinds.length).filter(
        (tokens) => tokens > contextTokens,
      ).length,
      patientsWithoutVisits: patientCount(data.train) - withVisits(data.train).length,
      prompts: [...numeric, ...categorical].map(({ name }) => name).join(', ') || 'none',
      labelPrompts: labels.length,
      earlyStopping: this.#steered
        ? `after ${settings.patience} epochs without a better validation loss`
        : `off: ${withVisits(data.validation).length} patients to validate on, ${fewestToSteer} needed`,
    };
  }

  /** Draws fresh weights. Throws TooFewPatients when no training patient has a visit. */
  static async start(data: TrainingData, config: PromptConfig, seed: number): Promise<PromptFitting> {
    if (withVisits(data.train).length === 0)
      throw new StageError('TooFewPatients', 'promptehr: the training split has no patient with a visit');
    const { kinds } = streamsOf(data.vocabulary);
    const settings = resolvePrompt(config, data.train, kinds.length);
    const model = modelOf(data, settings);
    const random = new RandomSource(seed, 'weights');
    const biases = prevalenceBias(model.streams, data.train, settings.order);
    const initial = initialValues(model.architecture, random, biases);
    const ops = await openOps();
    const network = new PromptNetwork(ops, model.architecture, (part) => ({ value: initial(part) }));
    return new PromptFitting(data, model, settings, seed, network);
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
    const { learningRate, schedule, warmUpEpochs, weightDecay, clip, dropout } = this.settings;
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
      { clip, dropout: { rate: dropout, source: this.#random.dropout, step } },
      (parameter, gradient) => this.#state.update(parameter, gradient, rates, weightDecay),
    );
    this.#state.advance();
    const report = { loss, epoch: epoch + 1 };
    if (position + 1 < this.#stepsPerEpoch || this.#validation.length === 0) return report;
    return { ...report, validationLoss: await this.#validate() };
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

  save(): Saving {
    return this.#state.save();
  }
  async load(saved: Saved): Promise<void> {
    await this.#state.load(saved);
  }

  /** The best weights seen (the last ones where nothing was validated), as the reference names and shapes them. */
  model(): Saved {
    const { parts } = this.#state.network;
    return {
      arrays: toReference(parts, ({ name }) => this.#state.weightsOf(name)),
      json: writePromptModel(this.#model),
    };
  }

  dispose(): void {
    this.#state.dispose();
  }
}
