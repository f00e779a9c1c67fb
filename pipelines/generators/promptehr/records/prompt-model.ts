import { z } from 'zod';
import { StageError } from '../../../../schemas/errors.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';
import type { PromptArchitecture } from '../network/architecture.ts';
import { categoriesOf, type PromptFeatures, promptFeatures } from './features.ts';
import { type PromptMarginals, promptMarginals } from './marginals.ts';
import { type StreamLayout, streamsOf } from './streams.ts';

const size = z.int().positive();

/** What reading and writing records needs of the training settings. */
const reading = z.object({
  contextTokens: size.describe(
    'most tokens of an encoder sequence, and of a span with its brackets; prompts not counted',
  ),
  order: z.enum(['canonical', 'shuffled']).describe('of the codes in a span: ascending tokens, or any'),
});

/** Tokens of an imported model that its weights have no rows for. */
const untaught = z.object({
  drawn: z.array(z.int().nonnegative()).describe('stream tokens whose rows are made up'),
  named: z
    .array(z.int().nonnegative())
    .describe('stream tokens whose rows are put together from their names'),
});

const stored = z.object({
  architecture: z.object({
    width: size,
    encoderLayers: size,
    decoderLayers: size,
    attentionHeads: size,
    feed: size,
    positions: size,
    promptHidden: size,
    tied: z.boolean(),
    biased: z.boolean().default(false),
  }),
  features: promptFeatures,
  marginals: promptMarginals,
  settings: reading,
  untaught: untaught.optional(),
});

/** A fitted PromptEHR but for its weights: what sampling, scoring and imputation go by. */
export interface PromptModel {
  architecture: PromptArchitecture;
  streams: StreamLayout;
  features: PromptFeatures;
  marginals: PromptMarginals;
  settings: z.output<typeof reading>;
  /** Of an imported model only. */
  untaught?: z.output<typeof untaught> | undefined;
}

/** The parts of an architecture that vocabulary and prompts decide. */
export const interfaceOf = (streams: StreamLayout, features: PromptFeatures) => ({
  tokens: streams.tokens,
  heads: streams.heads,
  numeric: features.numeric.length,
  categories: categoriesOf(features),
  pooled: features.labels.length,
});

/** As it stands in a model's json; what follows from the vocabulary is not repeated there. */
export const writePromptModel = ({ architecture, features, marginals, settings, untaught }: PromptModel) =>
  stored.parse({ architecture, features, marginals, settings, ...(untaught && { untaught }) }) as Record<
    string,
    unknown
  >;

/** The model in `json`, for the vocabulary it was trained on. Throws ArtifactCorrupt when it is none. */
export const readPromptModel = (json: Record<string, unknown>, vocabulary: Vocabulary): PromptModel => {
  const parsed = stored.safeParse(json);
  if (!parsed.success)
    throw new StageError('ArtifactCorrupt', `promptehr: the model's json: ${z.prettifyError(parsed.error)}`);
  const { architecture, features, marginals, settings, untaught } = parsed.data;
  const streams = streamsOf(vocabulary);
  return {
    architecture: { ...architecture, ...interfaceOf(streams, features) },
    streams,
    features,
    marginals,
    settings,
    untaught,
  };
};
