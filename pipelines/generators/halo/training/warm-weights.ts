/** HALO from a model: same vocabulary, same sizes, since its columns are codes by their order. */
import { z } from 'zod';
import { StageError } from '../../../../schemas/errors.ts';
import { type LearnedFacts, learnedFacts } from '../../../generation/fact-columns.ts';
import type { FittedModel, TrainingData } from '../../../generation/generator.ts';
import type { NamedArray } from '../../../kernel/checkpointable.ts';
import { vocabularyDigest } from '../../../patients/vocabulary-digest.ts';
import { type Architecture, storedArchitecture } from '../network/architecture.ts';
import type { HaloConfig, HaloSettings } from './config.ts';

/** What a model's json has. */
export const haloModel = z.object({ architecture: storedArchitecture, facts: learnedFacts });

/** A model that training starts from. */
export interface HaloStart {
  architecture: Architecture;
  arrays: Record<string, NamedArray>;
  facts: LearnedFacts;
}

const invalid = (message: string): StageError => new StageError('InvalidConfig', `halo: ${message}`);

/** Throws InvalidConfig unless the model speaks the very same vocabulary, in the same order. */
export const haloStart = (
  { saved, vocabulary: theirs }: FittedModel,
  { vocabulary: ours }: Pick<TrainingData, 'vocabulary'>,
): HaloStart => {
  if (vocabularyDigest(theirs) !== vocabularyDigest(ours))
    throw invalid(
      `the model it is to start from speaks another vocabulary (${theirs.codes.length} codes, ${theirs.labels.length} ` +
        `labels) than the cohort (${ours.codes.length} codes, ${ours.labels.length} labels), or another order of it; ` +
        'start from a model of a cohort with the same tokens',
    );
  const { architecture, facts } = haloModel.parse(saved.json);
  return { architecture, arrays: saved.arrays, facts };
};

const sizes = ['layers', 'heads', 'embedding'] as const;

/** The config with the model's sizes where it says none. Throws InvalidConfig where it says others. */
export const sizedLike = (config: HaloConfig, { architecture }: HaloStart): HaloConfig => {
  for (const key of sizes)
    if (config[key] !== undefined && config[key] !== architecture[key])
      throw invalid(
        `${key} is ${config[key]} in the config and ${architecture[key]} in the model it is to start from; leave it out`,
      );
  const most = architecture.positions - 2;
  if (config.maxVisits !== undefined && config.maxVisits > most)
    throw invalid(
      `maxVisits is ${config.maxVisits} in the config, and the model it is to start from has positions for ${most} visits`,
    );
  const { layers, heads, embedding } = architecture;
  return { ...config, layers, heads, embedding };
};

/** Settings and architecture on the model's table of positions: longer records are cut. */
export const placedLike = (
  settings: HaloSettings,
  architecture: Architecture,
  { architecture: { positions } }: HaloStart,
): { settings: HaloSettings; architecture: Architecture } => {
  const maxVisits = Math.min(settings.maxVisits, positions - 2);
  return { settings: { ...settings, maxVisits }, architecture: { ...architecture, maxVisits, positions } };
};
