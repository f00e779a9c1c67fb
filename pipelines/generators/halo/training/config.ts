import { z } from 'zod';
import { StageError } from '../../../../schemas/errors.ts';
import type { TrainingData } from '../../../generation/generator.ts';
import { type RecordPreset, recordKeys, recordSettings } from '../../../generation/record-fitting.ts';
import { type Presets, presetKey, size } from '../../../nn/training/presets.ts';
import type { VisitColumns } from '../../../patients/visit-columns.ts';
import type { Architecture } from '../network/architecture.ts';

const sizeKeys = {
  layers: size.optional().describe('transformer blocks'),
  heads: size.optional().describe('attention heads; must divide `embedding`'),
  embedding: size.optional().describe('width of a visit’s history'),
  dropout: z
    .number()
    .min(0)
    .max(0.9)
    .optional()
    .describe(
      'share of units dropped in training: of embedded visits, and of those that the output layer reads',
    ),
  sparsity: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      'L1 penalty on the output layer: part of the learning rate by which each step moves its weights toward zero; a weight stays there unless the mean of its gradients exceeds so much of their root mean square',
    ),
  ...recordKeys,
};

/** `head` was a key until its value `coarse` became a generator. */
const explainHead = ({ code, keys }: { code?: string; keys?: string[] }): string | undefined =>
  code === 'unrecognized_keys' && keys?.includes('head')
    ? 'there is no key "head": halo always has the fine head; for `head: coarse` use generator halo-coarse'
    : undefined;

/** What a user may set. A key left out takes the preset's value. */
export const haloConfig = z.strictObject(
  {
    preset: presetKey('12 × 768, batch 48, 50 epochs'),
    ...sizeKeys,
    positiveWeight: z.number().positive().default(1).describe('how much a present code weighs in the loss'),
    lossNormalization: z
      .enum(['cells', 'padded'])
      .default('cells')
      .describe('mean over real cells, or over the padded grid as the reference code does'),
    blockColumns: size
      .default(512)
      .describe('columns per block of the code-level head; memory against speed'),
  },
  { error: explainHead },
);
/** What a user may set of halo-coarse. */
export const coarseConfig = z.strictObject({
  preset: presetKey('12 × 768, batch 128, 25 epochs'),
  ...sizeKeys,
});
export type CoarseConfig = z.output<typeof coarseConfig>;
export type HaloConfig = z.output<typeof haloConfig>;

/** A config with every value decided that decides the model. */
export type HaloSettings = {
  [K in Exclude<keyof HaloConfig, 'memoryGib' | 'demographics'>]-?: NonNullable<HaloConfig[K]>;
};

interface Preset
  extends RecordPreset,
    Pick<HaloSettings, 'layers' | 'heads' | 'embedding' | 'dropout' | 'sparsity'> {}

/** The paper's experiment setup, with the sizes of the reference's config.py. */
const paper: Preset = {
  ...{ layers: 12, heads: 12, embedding: 768, dropout: 0, sparsity: 0, batch: 48, learningRate: 1e-4 },
  ...{
    weightDecay: 0,
    epochs: 50,
    patience: 50,
    folds: 0,
    schedule: 'constant',
    start: 'random',
    calibration: 0,
  },
};

const shared = { folds: 5, batch: 48, schedule: 'cosine', start: 'prevalence', calibration: 4 } as const;
const small = {
  ...shared,
  layers: 2,
  heads: 4,
  embedding: 128,
  dropout: 0,
  sparsity: 0.2,
  learningRate: 1e-3,
};
const held = { ...small, sparsity: 0.7, weightDecay: 1e-4, epochs: 60, patience: 10 };

/**
 * Below 1,000 patients for the MIMIC-III demo, where a model that is not held back learns patients by heart;
 * then a compromise of two kinds of simulated cohorts: what finds fewer members in one loses co-occurrence in
 * the other (docs/halo.md). From 25,000 on it is the paper's size, which was not tuned.
 */
const presets: Presets<Preset> = {
  paper,
  bySize: [
    [0, held],
    [1000, { ...small, weightDecay: 3e-5, epochs: 60, patience: 10 }],
    [4000, { ...small, weightDecay: 3e-5, epochs: 30, patience: 5 }],
    [10_000, { ...small, weightDecay: 1e-5, epochs: 15, patience: 5 }],
    [25_000, { ...paper, ...shared, patience: 5 }],
  ],
};

/**
 * baselines/haloCoarse/config.py; of other cohorts from 4,000 patients on the values of halo, below with
 * dropout, tuned on 1,500 simulated patients.
 */
const coarsePresets: Presets<Preset> = {
  paper: { ...paper, batch: 128, epochs: 25, patience: 25 },
  bySize: [[0, { ...held, dropout: 0.2 }], ...presets.bySize.filter(([from]) => from >= 4000)],
};

/**
 * Fills a config of `generator` from its preset. Throws InvalidConfig when `heads` does not divide
 * `embedding`.
 */
const resolve = <C extends CoarseConfig>(
  generator: string,
  table: Presets<Preset>,
  config: C,
  train: VisitColumns,
) => {
  const settings = recordSettings(config, table, train);
  if (settings.embedding % settings.heads !== 0)
    throw new StageError(
      'InvalidConfig',
      `${generator}: heads (${settings.heads}) must divide embedding (${settings.embedding}); change one of them`,
    );
  return settings;
};

export const resolveHalo = (config: HaloConfig, train: VisitColumns): HaloSettings =>
  resolve('halo', presets, config, train);

export const resolveCoarse = (config: CoarseConfig, train: VisitColumns) =>
  resolve('halo-coarse', coarsePresets, config, train);

/** The architecture that settings give on a vocabulary, of whose labels the first may be columns of facts. */
export const architectureOf = (
  { layers, heads, embedding, maxVisits }: Pick<HaloSettings, 'layers' | 'heads' | 'embedding' | 'maxVisits'>,
  vocabulary: TrainingData['vocabulary'],
  facts?: readonly number[],
): Architecture => ({
  layers,
  heads,
  embedding,
  maxVisits,
  positions: maxVisits + 2,
  codes: vocabulary.codes.length,
  labels: vocabulary.labels.length,
  facts,
});
