import { StageError } from '../../schemas/errors.ts';
import type { Generator } from '../generation/generator.ts';
import { loadFolder } from '../kernel/load-folder.ts';

const folder = new URL('./', import.meta.url);

/** Where a generator's file is; its import closure goes into the cache key of what it makes. */
export const generatorFile = (name: string): string => new URL(`${name}.ts`, folder).href;

/** Every generator: a file in pipelines/generators is all it takes to add one. */
export const generators = await loadFolder<Generator>(folder, ['registry.ts']);

/** The generator of a name. Throws InvalidConfig naming those that exist. */
export const generatorNamed = (name: string): Generator => {
  const generator = generators.get(name);
  if (generator) return generator;
  throw new StageError(
    'InvalidConfig',
    `generator: there is no ${JSON.stringify(name)}; there are ${[...generators.keys()].join(', ')}`,
  );
};
