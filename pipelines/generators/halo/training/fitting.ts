import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import {
  adoptedFacts,
  factSettings,
  factSizes,
  factsJson,
  type LearnedFacts,
  learnFacts,
  withFactColumns,
} from '../../../generation/fact-columns.ts';
import type { Fitting, TrainingData } from '../../../generation/generator.ts';
import { fitRecords } from '../../../generation/record-fitting.ts';
import { groupsOf } from '../../../generation/record-sampler.ts';
import { layoutOf } from '../../../generation/record-sets.ts';
import type { Saved } from '../../../kernel/checkpointable.ts';
import { RandomSource } from '../../../kernel/random.ts';
import { openOps } from '../../../nn/ops/open-ops.ts';
import type { Architecture } from '../network/architecture.ts';
import { packSets } from '../network/batch.ts';
import { HaloNetwork } from '../network/network.ts';
import { toReference } from '../network/weight-layout.ts';
import { haloSampler, samplingColumns } from '../sampling/sampler.ts';
import { architectureOf, type HaloConfig, resolveHalo } from './config.ts';
import { initialValues } from './initial-weights.ts';
import { adviceOf, memoryNeed } from './memory-need.ts';
import { type HaloStart, placedLike, sizedLike } from './warm-weights.ts';

/** Settings and architecture, those of the model that training starts from where there is one. */
const sizedFor = (
  data: TrainingData,
  facts: LearnedFacts,
  config: HaloConfig,
  start: HaloStart | undefined,
) => {
  const settings = resolveHalo(start ? sizedLike(config, start) : config, data.train);
  const architecture = architectureOf(settings, data.vocabulary, factSizes(facts));
  return start ? placedLike(settings, architecture, start) : { settings, architecture };
};

/** The sampler of a model in the reference's tensors; columns of facts are labels to it. */
export const openHalo = async (architecture: Architecture, model: Saved, vocabulary: Vocabulary) => {
  const ops = await openOps();
  const network = await HaloNetwork.fromReference(ops, architecture, samplingColumns, model.arrays);
  return haloSampler(network, groupsOf(vocabulary, layoutOf(architecture)));
};

/**
 * HALO in training, from fresh weights or those of `start`. Throws TooFewPatients when no training patient
 * has a visit, OutOfMemory when what a training of this size needs is not free.
 */
export const fitHalo = async (
  given: TrainingData,
  config: HaloConfig,
  seed: number,
  start?: HaloStart,
): Promise<Fitting> => {
  const facts = start
    ? adoptedFacts('halo', start.facts, given.train, config.demographics)
    : learnFacts('halo', given.train, config.demographics);
  const data = withFactColumns(given, facts);
  const { settings, architecture } = sizedFor(data, facts, config, start);
  const { blockColumns, maxVisits } = settings;
  const scale = {
    normalization: settings.lossNormalization,
    positiveWeight: settings.positiveWeight,
    maxVisits,
  };
  const dropping = new RandomSource(seed, 'dropout');
  return fitRecords<HaloNetwork>({
    ...{ name: 'halo', data, seed, limitGib: config.memoryGib, advice: adviceOf(settings) },
    settings: { ...settings, demographics: factSettings(facts) },
    layout: layoutOf(architecture),
    sparse: (name) => name.startsWith('ehr_head.auto2'),
    memory: (batches, keepsBest) => memoryNeed(architecture, settings, batches, keepsBest),
    open: async (train) => {
      const ops = await openOps();
      if (start) return HaloNetwork.fromReference(ops, architecture, blockColumns, start.arrays);
      const random = new RandomSource(seed, 'weights');
      const initial = initialValues(architecture, random, train, settings.start);
      return HaloNetwork.build(ops, architecture, blockColumns, (weight) => ({ value: initial(weight) }));
    },
    rebuild: ({ ops }, initial) => HaloNetwork.build(ops, architecture, blockColumns, initial),
    parameters: (network) => network.parameters,
    learn: (network, records, { step, update }) =>
      network.learn(packSets(records), scale, update, { rate: settings.dropout, source: dropping, step }),
    loss: (network, records) => network.loss(packSets(records), scale),
    fitted: async ({ weights, pace }, weightsOf) => ({
      arrays: await toReference(architecture, weights, ({ name }) => weightsOf(name), pace),
      json: { architecture, ...factsJson(facts) },
    }),
    // The bias of column c stands one place before the column's own: see Weight.
    bias: { tensor: 'ehr_head.auto2.bias', at: architecture.embedding - 1 },
    openModel: (model) => openHalo(architecture, model, data.vocabulary),
  });
};
