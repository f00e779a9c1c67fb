import { z } from 'zod';
import { StageError } from '../../../../schemas/errors.ts';
import {
  type Presets,
  presetFor,
  presetKey,
  size,
  type TrainingPreset,
  trainingKeys,
  withPreset,
} from '../../../nn/training/presets.ts';
import { patientCount, type VisitColumns } from '../../../patients/visit-columns.ts';
import { tokenCorruptions } from '../records/corruption.ts';

const share = z.number().min(0).max(1);
const weight = z.number().min(0);
const names = z.union([z.literal('all'), z.array(z.string())]);

const prompts = z
  .strictObject({
    numeric: names.default('all').describe('demographics that are numbers'),
    categorical: names.default('all').describe('demographics that are levels'),
    labels: names.default('all').describe('labels of the cohort; those left out are drawn beside the record'),
  })
  .prefault({})
  .describe('facts of a patient that records are conditioned on: `all`, or a list of names');

const corruption = z
  .strictObject({
    share: share
      .optional()
      .describe('of the contexts, how many are corrupted; the others are read as they are'),
    rate: z.number().min(0).max(0.95).default(0.3).describe('share of a corrupted span’s codes that it hits'),
    tokens: z
      .array(z.enum(tokenCorruptions))
      .default([...tokenCorruptions])
      .describe(
        'one is drawn per span: each code a mask, runs of Poisson(3) codes one mask, such runs deleted',
      ),
    shuffle: z.boolean().default(true).describe('codes of a corrupted span come in any order'),
    permute: z.boolean().default(true).describe('spans of a corrupted visit come in any order'),
  })
  .prefault({})
  .describe('of the contexts that training reads');

const tasks = z
  .strictObject({
    longitudinal: weight.default(1).describe('all spans of a visit from the visits before'),
    crossModal: weight.default(1).describe('one span from the visits before and the other spans'),
    generation: weight
      .default(2)
      .describe('spans from the visits before and the first spans of the same visit'),
    completion: weight.default(1).describe('all spans from the visits before and the same visit corrupted'),
  })
  .refine((parts) => Object.values(parts).some((part) => part > 0), 'one of them must be above 0')
  .prefault({})
  .describe('what examples ask for: how often each, in parts of the sum');

/** What a user may set. A key left out takes the preset's value. */
export const promptConfig = z.strictObject({
  preset: presetKey('BART-base, batch 16, 50 epochs'),
  width: size.optional().describe('of a row, BART’s d_model'),
  encoderLayers: size.optional().describe('transformer blocks that read'),
  decoderLayers: size.optional().describe('transformer blocks that write'),
  attentionHeads: size.optional().describe('must divide `width`'),
  feed: size.optional().describe('width inside a feed-forward block'),
  promptHidden: size.optional().describe('width of a prompt before it is mapped to `width`, the paper’s d0'),
  contextTokens: size
    .min(8)
    .optional()
    .describe(
      'longer contexts lose their oldest visits; default: the longest training record, at most 1024, or fewer for small cohorts',
    ),
  tied: z
    .boolean()
    .optional()
    .describe(
      'output layers of codes are the rows of the embedding, not matrices of their own; default: true, or as in the model it starts from',
    ),
  prompts,
  order: z
    .enum(['canonical', 'shuffled'])
    .default('canonical')
    .describe('codes of a span are written in ascending order, or in any order as in the paper’s code'),
  tasks,
  corruption,
  ...trainingKeys,
  batch: size.optional().describe('visits per step'),
  start: z
    .enum(['associations', 'prevalence', 'random'])
    .optional()
    .describe(
      'heads begin with a bias that gives every code its training prevalence (`prevalence`), and codes that share visits are likelier together from the first step (`associations`); or without either, as in BART',
    ),
  warmUpEpochs: z.number().min(0).optional().describe('in which the learning rate rises to its peak'),
  dropout: z.number().min(0).max(0.9).optional().describe('share of units dropped in training'),
  clip: z.number().positive().default(1).describe('largest norm of all gradients together'),
  precision: z
    .enum(['float32', 'bfloat16'])
    .default('float32')
    .describe(
      'bfloat16: training multiplies the blocks’ matrices so, about 1.4 times as fast a step at BART-base’s size on CPUs with avx512_bf16; weights, moments, normalization, softmax, logits and drawing stay float32; without native TensorFlow it is float32 all the same',
    ),
});
export type PromptConfig = z.output<typeof promptConfig>;

/** A config with every value decided that decides the model. */
export type PromptSettings = Omit<
  { [K in Exclude<keyof PromptConfig, 'memoryGib'>]-?: NonNullable<PromptConfig[K]> },
  'corruption'
> & {
  corruption: Omit<PromptConfig['corruption'], 'share'> & { share: number };
};

interface Preset
  extends TrainingPreset,
    Pick<
      PromptSettings,
      | 'width'
      | 'encoderLayers'
      | 'decoderLayers'
      | 'attentionHeads'
      | 'feed'
      | 'promptHidden'
      | 'start'
      | 'warmUpEpochs'
      | 'dropout'
    > {
  corrupted: number;
  mostTokens: number;
}

/** Rows of BART's position table. */
const positions = 1024;

/** Section 4.2, on BART-base; what it leaves open is as in the authors' code. */
const paper: Preset = {
  width: 768,
  encoderLayers: 6,
  decoderLayers: 6,
  attentionHeads: 12,
  feed: 3072,
  promptHidden: 128,
  start: 'random',
  calibration: 0,
  batch: 16,
  learningRate: 1e-5,
  warmUpEpochs: 3,
  schedule: 'linear',
  weightDecay: 1e-4,
  dropout: 0.1,
  epochs: 50,
  patience: 50,
  corrupted: 1,
  mostTokens: positions,
};

const shared = {
  start: 'prevalence',
  calibration: 2,
  batch: 16,
  schedule: 'cosine',
  learningRate: 3e-4,
  weightDecay: 0,
  dropout: 0.1,
  corrupted: 0.3,
} as const;
const small: Preset = {
  ...shared,
  ...{ width: 128, encoderLayers: 2, decoderLayers: 2, attentionHeads: 4, feed: 256, promptHidden: 32 },
  ...{ dropout: 0.3, warmUpEpochs: 2, epochs: 40, patience: 15, mostTokens: 256 },
};
const middle: Preset = {
  ...shared,
  ...{ width: 256, encoderLayers: 3, decoderLayers: 3, attentionHeads: 4, feed: 1024, promptHidden: 64 },
  ...{ warmUpEpochs: 1, epochs: 40, patience: 6, mostTokens: 512 },
};

/**
 * The smallest is tuned on the MIMIC-III demo (docs/promptehr.md), where a start from associations helps;
 * with 600 patients it no longer does. The others are guesses between it and the paper's.
 */
const presets: Presets<Preset> = {
  paper,
  bySize: [
    [0, { ...small, start: 'associations' }],
    [250, small],
    [1000, middle],
    [10_000, { ...paper, ...shared, learningRate: 1e-4, warmUpEpochs: 1, patience: 5 }],
  ],
};

/** Tokens of every record as a context, all spans of all visits written. */
export const streamLengths = ({ visitOffsets, codeOffsets }: VisitColumns, kinds: number): Int32Array =>
  Int32Array.from({ length: visitOffsets.length - 1 }, (_, patient) => {
    const [from, to] = [visitOffsets[patient] as number, visitOffsets[patient + 1] as number];
    const codes = (codeOffsets[to] as number) - (codeOffsets[from] as number);
    return 2 + codes + (to - from) * (2 + 2 * kinds);
  });

/** Fills a config from its preset. Throws InvalidConfig when `attentionHeads` does not divide `width`. */
export const resolvePrompt = (config: PromptConfig, train: VisitColumns, kinds: number): PromptSettings => {
  const isPaper = config.preset === 'paper';
  const { corrupted, mostTokens, ...preset } = presetFor(presets, config.preset, patientCount(train));
  const longest = streamLengths(train, kinds).reduce((most, tokens) => Math.max(most, tokens), 8);
  const settings: PromptSettings = {
    ...withPreset(config, {
      tied: true,
      ...preset,
      contextTokens: isPaper ? mostTokens : Math.min(mostTokens, longest),
    }),
    corruption: { ...config.corruption, share: config.corruption.share ?? corrupted },
  };
  if (settings.width % settings.attentionHeads !== 0)
    throw new StageError(
      'InvalidConfig',
      `promptehr: attentionHeads (${settings.attentionHeads}) must divide width (${settings.width}); change one of them`,
    );
  return settings;
};
