import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import type { Draft, OpenArtifact } from '../../schemas/store.ts';
import { tokenOrder, type Vocabulary, vocabulary as vocabularySchema } from '../../schemas/vocabulary.ts';
import type { Saved, Saving } from '../kernel/checkpointable.ts';
import { decodeSaved, encodeInTurns } from '../kernel/safetensors.ts';
import { vocabularyDigest } from '../patients/vocabulary-digest.ts';
import { type LearningCurve, learningCurve } from './learning-curve.ts';

/** `model.json`: what a fitted generator is, and all that is needed to open it again. */
export const modelCard = z.object({
  generator: z.string(),
  version: z.int(),
  config: z.record(z.string(), z.json()).describe('as asked for'),
  settings: z.record(z.string(), z.json()).describe('with every default decided'),
  seed: z.int(),
  subset: z
    .object({ name: z.string(), patients: z.int(), of: z.int() })
    .optional()
    .describe('the name of its cohorts, and how many of the training patients it learned from; absent: all'),
  vocabulary: z.string().describe('sha256 of its vocabulary'),
  tokens: z.int().describe('codes in that vocabulary'),
  order: tokenOrder.optional().describe('of the tokens; absent where the vocabulary came from outside'),
  parameters: z.number(),
});

export type ModelCard = z.output<typeof modelCard>;

/** What cohorts of a model are called in scorecards. */
export const cohortNameOf = ({ generator, subset }: Pick<ModelCard, 'generator' | 'subset'>): string =>
  subset?.name ?? generator;

/** Files of a model, as an artifact of a store and as a folder outside one. */
export const modelFileNames = ['model.json', 'vocabulary.json', 'curve.json', 'weights.safetensors'] as const;
export type ModelFiles = Record<(typeof modelFileNames)[number], string | Uint8Array>;

/** Where a model's files are read from: an artifact of a store, or a folder (`modelFolder`). */
export type ModelSource = Pick<OpenArtifact, 'bytes' | 'json'>;

/** A model as it is read: its card, its vocabulary and learning curve, and its weights once they are asked for. */
export interface Model {
  card: ModelCard;
  vocabulary: Vocabulary;
  curve: LearningCurve;
  /** Throws ArtifactCorrupt where the file is no safetensors file with a saved state. */
  weights(): Promise<Saved>;
}

/** What a model is made of; the card's `vocabulary`, `tokens` and `order` follow from the vocabulary. */
export interface ModelContent {
  card: Omit<ModelCard, 'vocabulary' | 'tokens' | 'order' | 'settings'> & {
    settings: Record<string, unknown>;
  };
  vocabulary: Vocabulary;
  curve: LearningCurve;
  saved: Saving;
}

/** The files of a model as bytes and text. Equal models give equal bytes. */
export const encodeModel = async ({ card, vocabulary, curve, saved }: ModelContent): Promise<ModelFiles> => {
  const { generator, version, config, settings, seed, subset, parameters } = card;
  const whole: ModelCard = {
    generator,
    version,
    config,
    settings: z.record(z.string(), z.json()).parse(settings),
    seed,
    subset,
    vocabulary: vocabularyDigest(vocabulary),
    tokens: vocabulary.codes.length,
    order: vocabulary.order,
    parameters,
  };
  return {
    'weights.safetensors': await encodeInTurns(saved),
    'model.json': `${JSON.stringify(whole, null, 2)}\n`,
    'vocabulary.json': `${JSON.stringify(vocabulary)}\n`,
    'curve.json': `${JSON.stringify(curve)}\n`,
  };
};

/** Writes the files of a model artifact. */
export const writeModel = async (draft: Pick<Draft, 'write'>, content: ModelContent): Promise<void> => {
  for (const [file, bytes] of Object.entries(await encodeModel(content))) await draft.write(file, bytes);
};

/** Reads the card alone; for more, `readModel`. Throws SourceMalformed where it has another shape. */
export const readModelCard = async (source: Pick<ModelSource, 'json'>): Promise<ModelCard> => {
  const { success, data } = modelCard.safeParse(await source.json('model.json'));
  if (success) return data;
  throw new StageError('SourceMalformed', 'model.json of the model has another shape than ours');
};

/**
 * Reads a model; `where` names it in messages. Throws SourceMalformed where a file has another shape, or where the
 * vocabulary is not the one that the card names.
 */
export const readModel = async (source: ModelSource, where = 'the model'): Promise<Model> => {
  const card = modelCard.safeParse(await source.json('model.json'));
  const vocabulary = vocabularySchema.safeParse(await source.json('vocabulary.json'));
  const curve = learningCurve.safeParse(await source.json('curve.json'));
  if (!card.success || !vocabulary.success || !curve.success)
    throw new StageError(
      'SourceMalformed',
      `${where}: model.json, vocabulary.json or curve.json has another shape than ours`,
    );
  if (vocabularyDigest(vocabulary.data) !== card.data.vocabulary)
    throw new StageError(
      'SourceMalformed',
      `${where}: vocabulary.json is not the vocabulary that model.json names`,
    );
  return {
    card: card.data,
    vocabulary: vocabulary.data,
    curve: curve.data,
    weights: async () => decodeSaved(await source.bytes('weights.safetensors')),
  };
};

/** Throws InvalidConfig unless the model was trained on a cohort of this vocabulary. */
export const checkTrainedOn = ({ card }: Pick<Model, 'card'>, vocabulary: Vocabulary): void => {
  if (vocabularyDigest(vocabulary) === card.vocabulary) return;
  throw new StageError(
    'InvalidConfig',
    `the model has another vocabulary (${card.tokens} codes) than the cohort (${vocabulary.codes.length} codes): ` +
      'give the token cohort it was trained on',
  );
};
