import { type Generator, generatorConfig, type Sampler } from '../generation/generator.ts';
import type { Model } from '../generation/model-file.ts';
import { loadFolder } from '../kernel/load-folder.ts';
import { named } from '../kernel/names.ts';

const folder = new URL('./', import.meta.url);

/** Where a generator's file is; its import closure goes into the cache key of what it makes. */
export const generatorFile = (name: string): string => new URL(`${name}.ts`, folder).href;

/** Every generator: a file in pipelines/generators is all it takes to add one. */
export const generators = await loadFolder<Generator>(folder, ['registry.ts']);

/**
 * The generator of a name. Throws InvalidConfig with those that exist; `where`: the key that has the name.
 */
export const generatorNamed = (name: string, where?: string): Generator =>
  named('generator', generators, name, { code: 'InvalidConfig', where });

/**
 * Opens a model for sampling; the caller disposes of the sampler. Throws InvalidConfig on an unknown
 * generator.
 */
export const openModel = async ({ card, vocabulary, weights }: Model): Promise<Sampler> => {
  const generator = generatorNamed(card.generator);
  return generator.open(await weights(), generatorConfig(generator, card.config), vocabulary);
};
