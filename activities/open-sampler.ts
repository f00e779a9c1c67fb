import type { Sampler } from '../pipelines/generation/generator.ts';
import { generatorConfig } from '../pipelines/generation/generator.ts';
import { type ModelCard, modelCard } from '../pipelines/generation/model-file.ts';
import { generatorNamed } from '../pipelines/generators/registry.ts';
import { decodeSaved } from '../pipelines/kernel/safetensors.ts';
import { vocabularyDigest } from '../pipelines/patients/vocabulary-digest.ts';
import { StageError } from '../schemas/errors.ts';
import type { OpenArtifact } from '../schemas/store.ts';
import type { Vocabulary } from '../schemas/vocabulary.ts';

/**
 * Opens a model artifact for drawing, with its card. Whoever opens it disposes of the sampler.
 * Throws InvalidConfig when the model was not trained on this vocabulary.
 */
export const openSampler = async (
  artifact: OpenArtifact,
  vocabulary: Vocabulary,
): Promise<{ card: ModelCard; sampler: Sampler }> => {
  const card = modelCard.parse(await artifact.json('model.json'));
  if (vocabularyDigest(vocabulary) !== card.vocabulary)
    throw new StageError(
      'InvalidConfig',
      `the model speaks another vocabulary (${card.tokens} codes) than the cohort (${vocabulary.codes.length} codes): give the token cohort it was trained on`,
    );
  const generator = generatorNamed(card.generator);
  const saved = decodeSaved(await artifact.bytes('weights.safetensors'));
  const sampler = await generator.open(saved, generatorConfig(generator, card.config), vocabulary);
  return { card, sampler };
};
