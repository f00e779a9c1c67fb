/** Training of models that predict a record set by set: one step is one batch of patients. */
import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import type { Saved } from '../kernel/checkpointable.ts';
import { RandomSource } from '../kernel/random.ts';
import type { VariableState } from '../nn/ops/ops.ts';
import { cutInto, shuffledBatches } from '../nn/training/batches.ts';
import {
  fewestToSteer,
  isSteered,
  type LearningStep,
  type TrainableNetwork,
  type TrainableWeight,
  type TrainingMethod,
} from '../nn/training/epoch-trainer.ts';
import {
  type Presets,
  presetFor,
  size,
  type TrainingPreset,
  trainingKeys,
  withPreset,
} from '../nn/training/presets.ts';
import type { TrainingMemory } from '../nn/training/training-memory.ts';
import {
  longestRecord,
  patientCount,
  type VisitColumns,
  visitsOf,
  withVisits,
} from '../patients/visit-columns.ts';
import { calibrate, logitShifts, prevalenceLogits } from './calibration.ts';
import { startTraining } from './cross-validation.ts';
import { factChoice } from './fact-columns.ts';
import type { Fitting, Sampler, TrainingData } from './generator.ts';
import { type Layout, type LayoutSizes, type RecordSets, recordSets } from './record-sets.ts';

/** The reference's context of 48 positions, less those of start and labels. */
const mostVisits = 46;

/** Keys of a config that every such model has. */
export const recordKeys = {
  maxVisits: size
    .optional()
    .describe(`longer records are cut; default: the longest training record, at most ${mostVisits}`),
  demographics: factChoice,
  ...trainingKeys,
  folds: z
    .int()
    .min(0)
    .optional()
    .describe(
      `parts of the training split by which epochs are chosen where fewer than ${fewestToSteer} patients validate; 0: all epochs are trained, the default where \`epochs\` are given`,
    ),
};

/** What a preset decides of such a training. */
export interface RecordPreset extends TrainingPreset {
  start: 'prevalence' | 'random';
  /** Of cross-validation; 0 or 1: none. */
  folds: number;
}

interface RecordConfig {
  preset: 'auto' | 'paper';
  epochs?: number;
  maxVisits?: number;
  memoryGib?: number;
}

/** The preset's settings and those given. Epochs that a user asks for are not chosen again. */
export const recordSettings = <C extends RecordConfig, P extends RecordPreset>(
  config: C,
  presets: Presets<P>,
  train: VisitColumns,
) => {
  const preset = presetFor(presets, config.preset, patientCount(train));
  return withPreset(config, {
    ...preset,
    folds: config.epochs === undefined ? preset.folds : 0,
    maxVisits:
      config.preset === 'paper' ? mostVisits : Math.min(mostVisits, Math.max(1, longestRecord(train))),
  });
};

/** Values of the weights before training, by name and shape. */
export type FirstWeights = (weight: TrainableWeight) => Float32Array;

/**
 * Fresh values, but those of the output layer: no weights and the log-odds of each column's prevalence as its
 * bias, so that the untrained model is the independent marginals.
 */
export const fromPrevalence =
  (layout: Layout, train: VisitColumns, output: { weight: string; bias: string }, fresh: FirstWeights) =>
  (weight: TrainableWeight): Float32Array => {
    if (weight.name === output.bias) return prevalenceLogits(layout, train);
    if (weight.name !== output.weight) return fresh(weight);
    return new Float32Array(weight.shape.reduce((product, width) => product * width, 1));
  };

/** What a method gives; see TrainingMethod for those of the same name. */
export interface RecordMethod<N extends TrainableNetwork> {
  name: string;
  data: TrainingData;
  seed: number;
  settings: RecordPreset & { maxVisits: number; demographics: Record<string, string[]> };
  /** Names of the weights that `sparsity` among the settings is about. */
  sparse?(name: string): boolean;
  limitGib: number | undefined;
  layout: Layout;
  /** Of the batches of the first epoch. */
  memory(batches: readonly (readonly RecordSets[])[], keepsBest: boolean): TrainingMemory;
  /** What would need less memory. */
  advice: string;
  /** Of fresh weights, where they depend on them by these training patients. */
  open(train: VisitColumns): Promise<N>;
  rebuild(network: N, initial: (weight: TrainableWeight) => Partial<VariableState>): N | Promise<N>;
  /** Trainable numbers. */
  parameters(network: N): number;
  learn(network: N, records: readonly RecordSets[], step: LearningStep): Promise<number>;
  loss(network: N, records: readonly RecordSets[]): Promise<{ sum: number; cells: number }>;
  fitted(network: N, weightsOf: (name: string) => Float32Array): Promise<Saved>;
  /** The tensor with the bias of every column [W], from place `at` on; absent: nothing to calibrate. */
  bias?: { tensor: string; at: number };
  openModel(model: Saved): Promise<Sampler>;
}

/**
 * Throws TooFewPatients when no training patient has a visit, OutOfMemory when what the training needs is not
 * free.
 */
export const fitRecords = async <N extends TrainableNetwork>(method: RecordMethod<N>): Promise<Fitting> => {
  const { name, data, seed, settings } = method;
  if (withVisits(data.train).length === 0)
    throw new StageError('TooFewPatients', `${name}: the training split has no patient with a visit`);
  return startTraining((part) => trainingMethod(method, part), data, { folds: settings.folds, seed });
};

/** As the trainer sees it, on these patients: all, or those of a fold. */
const trainingMethod = <N extends TrainableNetwork>(
  method: RecordMethod<N>,
  { train, validation }: TrainingData,
): TrainingMethod<N> => {
  const { seed, settings, layout, bias } = method;
  const { batch, maxVisits, calibration: rounds } = settings;
  const patients = withVisits(train);
  const batchesOf = shuffledBatches(patients, batch, new RandomSource(seed, 'order'));
  const records = (columns: VisitColumns, items: Int32Array) =>
    Array.from(items, (patient) => recordSets(layout, columns, patient, maxVisits));
  const validated = withVisits(validation);
  const first = batchesOf(0).map((items) => records(train, items));
  return {
    ...method,
    open: () => method.open(train),
    settings: { ...settings },
    facts: (network) => ({
      parameters: method.parameters(network),
      visitsCut: patients.reduce((cut, i) => cut + Math.max(0, visitsOf(train, i) - maxVisits), 0),
      patientsWithoutVisits: patientCount(train) - patients.length,
    }),
    memory: {
      need: method.memory(first, isSteered(validated.length)),
      advice: method.advice,
      limitGib: method.limitGib,
    },
    batchesOf,
    learn: (network, items, step) => method.learn(network, records(train, items), step),
    validation: { patients: validated.length, batches: cutInto(validated, batch) },
    loss: (network, items) => method.loss(network, records(validation, items)),
    calibrate: async (fitted) =>
      bias &&
      calibrate(fitted, {
        rounds,
        // A share of few training patients is known no better than from some thousand sampled ones.
        patients: Math.min(4096, Math.max(1024, patients.length)),
        seed,
        open: method.openModel,
        shiftsOf: (sampled) => {
          const shifts = new Float64Array(bias.at + layout.width);
          shifts.set(logitShifts(layout, train, sampled), bias.at);
          return { [bias.tensor]: shifts };
        },
      }),
  };
};

/** A model in the network's own names and shapes. */
export const savedModel = async (
  { weights, pace }: TrainableNetwork,
  weightsOf: (name: string) => Float32Array,
  json: Saved['json'],
): Promise<Saved> => {
  const arrays: Saved['arrays'] = {};
  for (const { name, shape } of weights) {
    arrays[name] = { shape, data: weightsOf(name) };
    await pace.rest();
  }
  return { arrays, json };
};

/**
 * The values of such a model, weight by weight. Throws ArtifactCorrupt where one is not there in its shape.
 */
export const weightsFrom =
  (generator: string, { arrays }: Saved) =>
  ({ name, shape }: TrainableWeight): { value: Float32Array } => {
    const found = arrays[name];
    if (found?.data instanceof Float32Array && found.shape.join() === shape.join())
      return { value: found.data };
    throw new StageError(
      'ArtifactCorrupt',
      `model of ${generator}: expected ${name} of shape [${shape}], found ` +
        `${found ? `shape [${found.shape}]` : 'none'}; train the model again`,
    );
  };

/** Throws InvalidConfig unless a model has as many codes and labels as the vocabulary, those of facts aside. */
export const requireVocabulary = (
  generator: string,
  model: LayoutSizes,
  { codes, labels }: TrainingData['vocabulary'],
): void => {
  const own = model.labels - (model.facts ?? []).reduce((sum, columns) => sum + columns, 0);
  if (model.codes === codes.length && own === labels.length) return;
  throw new StageError(
    'InvalidConfig',
    `${generator}: the model has ${model.codes} codes and ${own} labels, the vocabulary has ` +
      `${codes.length} and ${labels.length}; use the cohort it was trained on`,
  );
};
