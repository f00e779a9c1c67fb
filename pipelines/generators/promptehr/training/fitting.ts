import { StageError } from '../../../../schemas/errors.ts';
import { calibrate, pull, stride } from '../../../generation/calibration.ts';
import type { Fitting, TrainingData } from '../../../generation/generator.ts';
import type { Saved } from '../../../kernel/checkpointable.ts';
import { RandomSource } from '../../../kernel/random.ts';
import { openOps } from '../../../nn/ops/open-ops.ts';
import { bucketedBatches, cutInto } from '../../../nn/training/batches.ts';
import { EpochTrainer } from '../../../nn/training/epoch-trainer.ts';
import { patientCount, type VisitColumns, visitCount, withVisits } from '../../../patients/visit-columns.ts';
import { networkOf, openNetwork, PromptNetwork } from '../network/network.ts';
import { headName, toReference } from '../network/weight-layout.ts';
import {
  type Example,
  type ExampleVisit,
  exampleVisits,
  generationExamples,
  lengthOf,
  packExamples,
  trainingExample,
} from '../records/examples.ts';
import { type PromptModel, readPromptModel, writePromptModel } from '../records/prompt-model.ts';
import { streamsOf } from '../records/streams.ts';
import { PromptSampler } from '../sampling/sampler.ts';
import { type PromptConfig, type PromptSettings, resolvePrompt, streamLengths } from './config.ts';
import { firstWeights } from './first-weights.ts';
import { headShares, prevalenceBias } from './initial-weights.ts';
import { adviceOf, memoryNeed } from './memory-need.ts';
import { untrainedModel } from './untrained-model.ts';
import { type PromptStart, settingsFrom } from './warm-weights.ts';

/**
 * Patients sampled in one round of calibration: a share of few training visits is known no better than from
 * these.
 */
const calibrationPatients = { least: 512, most: 2048 };

/** What to add to each head's bias, after one look at `sampled` records. */
const biasShifts = (
  { streams, settings }: PromptModel,
  real: VisitColumns,
  sampled: VisitColumns,
): Record<string, Float32Array> => {
  const wanted = headShares(streams, real);
  const visits = visitCount(sampled);
  const found = headShares(streams, sampled).map((shares, head) =>
    shares.map((share, output) => (share * visits + pull * (wanted[head]?.[output] ?? 0)) / (visits + pull)),
  );
  const before = prevalenceBias(found, settings.order);
  const shifts = prevalenceBias(wanted, settings.order).map((bias, head) =>
    bias.map((value, output) => stride * (value - (before[head]?.[output] ?? 0))),
  );
  return Object.fromEntries(
    streams.heads.map(({ name }, head) => [headName(name, 'bias'), shifts[head] as Float32Array]),
  );
};

const openSampler = async (saved: Saved, vocabulary: TrainingData['vocabulary']): Promise<PromptSampler> => {
  const model = readPromptModel(saved.json, vocabulary);
  return new PromptSampler(await openNetwork(await openOps(), model.architecture, saved.arrays), model);
};

/**
 * PromptEHR in training, from fresh weights or what can be taken of `start`. One step is one batch of visits.
 * Throws TooFewPatients when no training patient has a visit, InvalidConfig where the config does not fit
 * `start`, OutOfMemory when what the training needs is not free.
 */
export const fitPrompt = async (
  data: TrainingData,
  config: PromptConfig,
  seed: number,
  start?: PromptStart,
): Promise<Fitting> => {
  const { train, validation, vocabulary } = data;
  const patients = withVisits(train);
  if (patients.length === 0)
    throw new StageError('TooFewPatients', 'promptehr: the training split has no patient with a visit');
  const { kinds } = streamsOf(vocabulary);
  const settings: PromptSettings = start
    ? settingsFrom(data, config, start)
    : resolvePrompt(config, train, kinds.length);
  const { tasks, corruption, contextTokens, order, batch, clip } = settings;
  const rules = { contextTokens, order, tasks, corrupted: corruption.share, corruption };
  const model = untrainedModel(data, settings);
  const { streams, architecture, features } = model;
  const random = {
    order: new RandomSource(seed, 'order'),
    corruption: new RandomSource(seed, 'corruption'),
    dropout: new RandomSource(seed, 'dropout'),
  };
  const visits = { train: exampleVisits(train), validation: exampleVisits(validation) };
  const lengths = Int32Array.from(visits.train, lengthOf);
  const batchesOf = (epoch: number) => bucketedBatches(lengths, batch, random.order, epoch);
  const pack = (examples: readonly Example[], columns: VisitColumns) =>
    packExamples(examples, features, columns, order);
  const rounds = settings.start === 'random' ? 0 : settings.calibration;
  const { least, most } = calibrationPatients;
  let startFacts: Record<string, number> = {};
  return EpochTrainer.start<PromptNetwork>({
    name: 'promptehr',
    settings: { ...settings },
    facts: (network) => ({
      ...startFacts,
      parameters: network.parameters,
      recordsCut: streamLengths(train, kinds.length).filter((tokens) => tokens > contextTokens).length,
      patientsWithoutVisits: patientCount(train) - patients.length,
      prompts: [...features.numeric, ...features.categorical].map(({ name }) => name).join(', ') || 'none',
      labelPrompts: features.labels.length,
      products: settings.precision === 'bfloat16' && network.ops.rounded ? 'bfloat16' : 'float32',
    }),
    memory: {
      need: memoryNeed(data, architecture, settings, batchesOf(0)),
      advice: adviceOf(settings),
      limitGib: config.memoryGib,
    },
    open: async () => {
      const { values, facts } = await firstWeights(data, model, settings, seed, start);
      startFacts = facts;
      return networkOf(await openOps(), architecture, values);
    },
    rebuild: ({ ops }, initial) => new PromptNetwork(ops, architecture, initial),
    batchesOf,
    learn: (network, items, { step, epoch, update }) => {
      const examples = Array.from(items, (index) =>
        trainingExample(streams, rules, visits.train[index] as ExampleVisit, random.corruption, epoch),
      );
      const dropout = { rate: settings.dropout, source: random.dropout, step };
      const options = { clip, dropout, rounded: settings.precision === 'bfloat16' };
      return network.learn(pack(examples, train), options, update);
    },
    validation: {
      patients: withVisits(validation).length,
      batches: cutInto(Int32Array.from(visits.validation.keys()), batch),
    },
    // −ln probability per code and span end of the validation split, as generation factorizes it.
    loss: (network, items) => {
      const examples = [...items].flatMap((index) =>
        generationExamples(streams, contextTokens, visits.validation[index] as ExampleVisit),
      );
      return network.loss(pack(examples, validation));
    },
    fitted: async ({ weights, pace }, weightsOf) => ({
      arrays: await toReference(weights, ({ name }) => weightsOf(name), pace),
      json: writePromptModel(model),
    }),
    calibrate: (fitted) =>
      calibrate(fitted, {
        rounds,
        patients: Math.min(most, Math.max(least, patientCount(train))),
        seed,
        open: (current) => openSampler(current, vocabulary),
        shiftsOf: (sampled) => biasShifts(model, train, sampled),
      }),
  });
};
