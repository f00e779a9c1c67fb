/**
 * HALO-Coarse, the ablation of HALO's paper: its transformer over visits, without the module in which codes
 * of a visit depend on each other. Numbers as in its code, btheodorou99/HALO_Inpatient, baselines/haloCoarse.
 * See docs/halo.md.
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
  type FirstWeights,
  fitRecords,
  fromPrevalence,
  requireVocabulary,
  savedModel,
  weightsFrom,
} from '../generation/record-fitting.ts';
import { independentSampler } from '../generation/record-sampler.ts';
import { layoutOf } from '../generation/record-sets.ts';
import type { Saved } from '../kernel/checkpointable.ts';
import { RandomSource } from '../kernel/random.ts';
import { openOps } from '../nn/ops/open-ops.ts';
import type { VisitColumns } from '../patients/visit-columns.ts';
import {
  type CoarseArchitecture,
  CoarseNetwork,
  coarseHead,
  coarseWeights,
  storedCoarse,
} from './halo/network/coarse-network.ts';
import { transformerWeights, type Weight } from './halo/network/weight-layout.ts';
import { architectureOf, type CoarseConfig, coarseConfig, resolveCoarse } from './halo/training/config.ts';
import { initialValues } from './halo/training/initial-weights.ts';
import { coarseMemory } from './halo/training/memory-need.ts';

/** [rows, columns] → [columns, rows] */
const transposed = (values: Float32Array, rows: number): Float32Array => {
  const columns = values.length / rows;
  return Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)] as number);
};

/** As the reference: HALO's transformer, and an output layer that begins as the transposed embedding. */
const freshCoarse = (architecture: CoarseArchitecture, seed: number, train: VisitColumns): FirstWeights => {
  const weights = new Map(transformerWeights(architecture).map((weight) => [weight.name, weight]));
  const fresh = initialValues(architecture, new RandomSource(seed, 'weights'), train, 'random');
  const table = weights.get('transformer.vis_embed_mat.weight') as Weight; // [W, E]
  return ({ name }) => {
    const weight = weights.get(name);
    return weight ? fresh(weight) : transposed(fresh(table), table.shape[0] as number);
  };
};

const fit = async (given: TrainingData, config: CoarseConfig, seed: number) => {
  const facts = learnFacts('halo-coarse', given.train, config.demographics);
  const data = withFactColumns(given, facts);
  const settings = resolveCoarse(config, data.train);
  const biased = settings.start === 'prevalence';
  const architecture = { ...architectureOf(settings, data.vocabulary, factSizes(facts)), biased };
  const layout = layoutOf(architecture);
  const sizes = coarseWeights(architecture).map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  const firstOf = (train: VisitColumns) => {
    const fresh = freshCoarse(architecture, seed, train);
    return biased ? fromPrevalence(layout, train, coarseHead, fresh) : fresh;
  };
  const dropping = new RandomSource(seed, 'dropout');
  return fitRecords<CoarseNetwork>({
    ...{ name: 'halo-coarse', data, seed, layout, limitGib: config.memoryGib },
    settings: { ...settings, demographics: factSettings(facts) },
    sparse: (name) => name === coarseHead.weight,
    memory: (batches, keepsBest) => coarseMemory(architecture, sizes, batches, keepsBest),
    advice:
      `set a smaller model (layers: ${settings.layers}, embedding: ${settings.embedding}; or leave out ` +
      `\`preset: paper\`), fewer codes in the vocabulary or a smaller batch (${settings.batch})`,
    open: async (train) => {
      const initial = firstOf(train);
      return new CoarseNetwork(await openOps(), architecture, (weight) => ({ value: initial(weight) }));
    },
    rebuild: ({ ops }, state) => new CoarseNetwork(ops, architecture, state),
    parameters: () => sizes.reduce((a, b) => a + b),
    learn: (network, records, { step, update }) =>
      network.learn(records, update, { rate: settings.dropout, source: dropping, step }),
    loss: (network, records) => network.loss(records),
    fitted: (network, weightsOf) => savedModel(network, weightsOf, { architecture, ...factsJson(facts) }),
    bias: biased ? { tensor: coarseHead.bias, at: 0 } : undefined,
    openModel: (model) => open(model, data.vocabulary),
  });
};

/** What a model's json has. */
const modelSchema = z.object({ architecture: storedCoarse, facts: learnedFacts });

/** The sampler of a model; columns of facts are labels to it. */
const open = async (model: Saved, vocabulary: Vocabulary) => {
  const { architecture } = modelSchema.parse(model.json);
  const network = new CoarseNetwork(await openOps(), architecture, weightsFrom('halo-coarse', model));
  return independentSampler(network, vocabulary);
};

export default defineGenerator({
  name: 'halo-coarse',
  title: 'HALO without its code-level module: the codes of a visit independent of each other',
  paper:
    'Theodorou, Xiao, Sun 2023, ablation of: Synthesize high-dimensional longitudinal electronic health records via hierarchical autoregressive language model, https://doi.org/10.1038/s41467-023-41093-0',
  version: 2,
  config: coarseConfig,
  capabilities: ['labels', 'demographics', 'score'],
  fit,
  open: async (saved, _config, vocabulary) => {
    const { architecture, facts } = modelSchema.parse(saved.json);
    requireVocabulary('halo-coarse', architecture, vocabulary);
    return samplerWithFacts('halo-coarse', await open(saved, vocabulary), facts, vocabulary.labels.length);
  },
});
