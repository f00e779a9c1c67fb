/**
 * The LSTM baseline of HALO's paper: all codes of a visit at once, independent of each other given the visits
 * before. Numbers as in its code, btheodorou99/HALO_Inpatient, baselines/lstm. See docs/lstm.md.
 */
import { z } from 'zod';
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import {
  factSettings,
  factSizes,
  factsJson,
  learnedFacts,
  learnFacts,
  samplerWithFacts,
  withFactColumns,
} from '../generation/fact-columns.ts';
import { defineGenerator, type TrainingData } from '../generation/generator.ts';
import {
  fitRecords,
  fromPrevalence,
  type RecordPreset,
  recordKeys,
  recordSettings,
  requireVocabulary,
  savedModel,
  weightsFrom,
} from '../generation/record-fitting.ts';
import { independentSampler } from '../generation/record-sampler.ts';
import { layoutOf } from '../generation/record-sets.ts';
import type { Saved } from '../kernel/checkpointable.ts';
import { RandomSource } from '../kernel/random.ts';
import { openOps } from '../nn/ops/open-ops.ts';
import { type Presets, presetKey, size } from '../nn/training/presets.ts';
import { memoryOf } from '../nn/training/training-memory.ts';
import { freshLstm, LstmNetwork, lstmArchitecture, lstmWeights } from './lstm/network.ts';

const config = z.strictObject({
  preset: presetKey('6 × 768, batch 128, 25 epochs'),
  layers: size.optional().describe('of LSTM'),
  width: size.optional().describe('of embedding and hidden states'),
  dropout: z
    .number()
    .min(0)
    .max(0.9)
    .optional()
    .describe('share of units dropped between layers in training'),
  ...recordKeys,
});

interface Preset extends RecordPreset {
  layers: number;
  width: number;
  dropout: number;
}

/** baselines/lstm/config.py; lstm.py has six layers. */
const paper: Preset = {
  ...{ layers: 6, width: 768, dropout: 0, batch: 128, learningRate: 1e-4, weightDecay: 0 },
  ...{ epochs: 25, patience: 25, folds: 0, schedule: 'constant', start: 'random', calibration: 0 },
};
const shared = { folds: 5, start: 'prevalence', schedule: 'cosine', calibration: 4 } as const;
const small = { ...shared, layers: 1, width: 128, batch: 48 };

/**
 * The first is tuned on 1,000 and 1,500 invented patients (docs/lstm.md); the rest is as for HALO was, or a
 * guess.
 */
const presets: Presets<Preset> = {
  paper,
  bySize: [
    [0, { ...small, learningRate: 1e-2, dropout: 0.4, weightDecay: 5e-5, epochs: 60, patience: 10 }],
    [4000, { ...small, learningRate: 3e-3, dropout: 0.1, weightDecay: 1e-5, epochs: 30, patience: 5 }],
    [25_000, { ...paper, ...shared, layers: 2, dropout: 0.1, learningRate: 1e-3, patience: 5 }],
  ],
};

const fit = async (cohort: TrainingData, given: z.output<typeof config>, seed: number) => {
  const facts = learnFacts('lstm', cohort.train, given.demographics);
  const data = withFactColumns(cohort, facts);
  const { train, vocabulary } = data;
  const settings = recordSettings(given, presets, train);
  const { layers, width, maxVisits, start } = settings;
  const [codes, labels] = [vocabulary.codes.length, vocabulary.labels.length];
  const architecture = { codes, labels, facts: factSizes(facts), maxVisits, width, layers };
  const layout = layoutOf(architecture);
  const sizes = lstmWeights(architecture).map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  const parameters = sizes.reduce((a, b) => a + b);
  const fresh = freshLstm(architecture, new RandomSource(seed, 'weights'));
  const dropout = { rate: settings.dropout, source: new RandomSource(seed, 'dropout') };
  return fitRecords<LstmNetwork>({
    ...{ name: 'lstm', data, seed, layout, limitGib: given.memoryGib },
    settings: { ...settings, demographics: factSettings(facts) },
    memory: (batches, keepsBest) => {
      const rows = Math.max(...batches.map((batch) => batch.reduce((sum, sets) => sum + sets.length - 1, 0)));
      return memoryOf(
        parameters,
        rows * (64 * layers * width + 8 * layout.width) + 2 * Math.max(...sizes),
        keepsBest,
      );
    },
    advice:
      `set a smaller model (layers: ${layers}, width: ${width}; or leave out \`preset: paper\`), fewer codes in the ` +
      `vocabulary or a smaller batch (${settings.batch})`,
    open: async (patients) => {
      const initial =
        start === 'prevalence'
          ? fromPrevalence(layout, patients, { weight: 'head.weight', bias: 'head.bias' }, fresh)
          : fresh;
      return new LstmNetwork(await openOps(), architecture, (weight) => ({ value: initial(weight) }));
    },
    rebuild: ({ ops }, state) => new LstmNetwork(ops, architecture, state),
    parameters: () => parameters,
    learn: async (network, records, step) => network.learn(records, step, dropout),
    loss: async (network, records) => network.loss(records),
    fitted: async (network, weightsOf) =>
      savedModel(network, weightsOf, { architecture, ...factsJson(facts) }),
    bias: { tensor: 'head.bias', at: 0 },
    openModel: (model) => open(model, vocabulary),
  });
};

/** What a model's json has. */
const modelSchema = z.object({ architecture: lstmArchitecture, facts: learnedFacts });

/** The sampler of a model; columns of facts are labels to it. */
const open = async (model: Saved, vocabulary: Vocabulary) => {
  const { architecture } = modelSchema.parse(model.json);
  const network = new LstmNetwork(await openOps(), architecture, weightsFrom('lstm', model));
  return independentSampler(network, vocabulary);
};

export default defineGenerator({
  name: 'lstm',
  title: 'LSTM over visits, the codes of a visit independent of each other',
  paper:
    'Theodorou, Xiao, Sun 2023, baseline of: Synthesize high-dimensional longitudinal electronic health records via hierarchical autoregressive language model, https://doi.org/10.1038/s41467-023-41093-0',
  version: 2,
  config,
  capabilities: ['labels', 'demographics', 'score'],
  fit,
  open: async (saved, _config, vocabulary) => {
    const { architecture, facts } = modelSchema.parse(saved.json);
    requireVocabulary('lstm', architecture, vocabulary);
    return samplerWithFacts('lstm', await open(saved, vocabulary), facts, vocabulary.labels.length);
  },
});
