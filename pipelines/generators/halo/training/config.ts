import { z } from 'zod';
import { StageError } from '../../../../schemas/errors.ts';
import type { TrainingData } from '../../../generation/generator.ts';
import { fewestToSteer } from '../../../nn/training/training-state.ts';
import { patientCount, type VisitColumns } from '../../../patients/visit-columns.ts';
import type { Architecture } from '../network/architecture.ts';

const size = z.int().positive();

/** The reference's context of 48 positions, less those of start and labels. */
const mostVisits = 46;

/** What a person may set. A key left out takes the preset's value, which goes by the size of the cohort. */
export const haloConfig = z.strictObject({
  preset: z
    .enum(['auto', 'paper'])
    .default('auto')
    .describe(
      'values of the keys left out: by cohort size, or as in the paper (12 × 768, batch 48, 50 epochs)',
    ),
  layers: size.optional().describe('transformer blocks'),
  heads: size.optional().describe('attention heads; must divide `embedding`'),
  embedding: size.optional().describe('width of a visit’s history'),
  maxVisits: size
    .optional()
    .describe('longer records are cut; default: the longest training record, at most 46'),
  batch: size.optional().describe('patients per step'),
  learningRate: z.number().positive().optional().describe('of Adam'),
  weightDecay: z
    .number()
    .min(0)
    .optional()
    .describe('L2 penalty on matrices: added to the gradient, as PyTorch’s Adam does'),
  epochs: size.optional().describe('most passes over the training split'),
  patience: size
    .optional()
    .describe(
      `epochs without a better validation loss before training stops; needs ${fewestToSteer} patients to validate on`,
    ),
  positiveWeight: z.number().positive().default(1).describe('how much a present code weighs in the loss'),
  lossNormalization: z
    .enum(['cells', 'padded'])
    .default('cells')
    .describe('mean over real cells, or over the padded grid as the reference code does'),
  schedule: z
    .enum(['cosine', 'constant'])
    .optional()
    .describe('of the learning rate: down to zero over all epochs, or as it is throughout'),
  start: z
    .enum(['prevalence', 'random'])
    .optional()
    .describe('untrained, give every code its training prevalence, or be random as the reference is'),
  calibration: z
    .int()
    .min(0)
    .optional()
    .describe(
      'rounds of shifting output biases after training until drawn records have the training prevalences; the paper has none',
    ),
  head: z
    .enum(['fine', 'coarse'])
    .default('fine')
    .describe(
      'coarse: codes of a visit do not see each other, the history alone decides (the paper’s ablation HALO-Coarse)',
    ),
  blockColumns: size.default(512).describe('columns per block of the code-level head; memory against speed'),
  memoryGib: z
    .number()
    .positive()
    .optional()
    .describe('memory that training may take; default: what the machine or its container has free'),
});
export type HaloConfig = z.output<typeof haloConfig>;

/** A config with every value decided that decides the model. */
export type HaloSettings = { [K in Exclude<keyof HaloConfig, 'memoryGib'>]-?: NonNullable<HaloConfig[K]> };

type Preset = Pick<
  HaloSettings,
  | 'layers'
  | 'heads'
  | 'embedding'
  | 'batch'
  | 'learningRate'
  | 'weightDecay'
  | 'epochs'
  | 'patience'
  | 'schedule'
  | 'start'
  | 'calibration'
>;

/** The paper's experiment setup, with the sizes of the reference's config.py. */
const paper: Preset = {
  layers: 12,
  heads: 12,
  embedding: 768,
  batch: 48,
  learningRate: 1e-4,
  weightDecay: 0,
  epochs: 50,
  patience: 50,
  schedule: 'constant',
  start: 'random',
  calibration: 0,
};

/** What differs by the size of the training split, for sizes below `below` patients; 2 × 128, Adam 1e-3. */
const bySize = [
  { below: 1000, weightDecay: 3e-5, epochs: 60, patience: 60 },
  { below: 4000, weightDecay: 3e-5, epochs: 60, patience: 10 },
  { below: 10_000, weightDecay: 1e-5, epochs: 20, patience: 5 },
  { below: 25_000, weightDecay: 1e-5, epochs: 15, patience: 5 },
] as const;

/**
 * The first is tuned on the MIMIC-III demo, the others on 1,000 and 2,000, 5,000, and 12,000 and 20,000 invented
 * patients (docs/halo.md). From 25,000 on it is the paper's size, which was not tuned.
 */
const presetFor = (patients: number): Preset => {
  const shared = { batch: 48, schedule: 'cosine', start: 'prevalence', calibration: 4 } as const;
  const found = bySize.find(({ below }) => patients < below);
  if (!found) return { ...paper, ...shared, patience: 5 };
  const { weightDecay, epochs, patience } = found;
  return {
    ...shared,
    layers: 2,
    heads: 4,
    embedding: 128,
    learningRate: 1e-3,
    weightDecay,
    epochs,
    patience,
  };
};

const longestRecord = ({ visitOffsets }: VisitColumns): number =>
  visitOffsets.reduce((longest, end, i) => Math.max(longest, end - (visitOffsets[i - 1] ?? 0)), 1);

/** Fills a config from its preset. Throws InvalidConfig when `heads` does not divide `embedding`. */
export const resolveHalo = ({ memoryGib: _, ...config }: HaloConfig, train: VisitColumns): HaloSettings => {
  const preset = config.preset === 'paper' ? paper : presetFor(patientCount(train));
  const settings: HaloSettings = {
    ...config,
    layers: config.layers ?? preset.layers,
    heads: config.heads ?? preset.heads,
    embedding: config.embedding ?? preset.embedding,
    maxVisits:
      config.maxVisits ??
      (config.preset === 'paper' ? mostVisits : Math.min(mostVisits, longestRecord(train))),
    batch: config.batch ?? preset.batch,
    learningRate: config.learningRate ?? preset.learningRate,
    weightDecay: config.weightDecay ?? preset.weightDecay,
    epochs: config.epochs ?? preset.epochs,
    patience: config.patience ?? preset.patience,
    schedule: config.schedule ?? preset.schedule,
    start: config.start ?? preset.start,
    calibration: config.calibration ?? preset.calibration,
  };
  if (settings.embedding % settings.heads !== 0)
    throw new StageError(
      'InvalidConfig',
      `halo: heads (${settings.heads}) must divide embedding (${settings.embedding}); change one of them`,
    );
  return settings;
};

/** The architecture that settings give on a vocabulary. */
export const architectureOf = (
  { layers, heads, embedding, maxVisits }: HaloSettings,
  vocabulary: TrainingData['vocabulary'],
): Architecture => ({
  layers,
  heads,
  embedding,
  maxVisits,
  positions: maxVisits + 2,
  codes: vocabulary.codes.length,
  labels: vocabulary.labels.length,
});
