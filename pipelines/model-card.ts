import { z } from 'zod';
import { StageError } from '../schemas/errors.ts';
import { tokenOrder } from '../schemas/vocabulary.ts';
import type { Generator } from './generator.ts';
import { generators } from './registry.ts';

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
    .describe(
      'how its cohorts are called, and how many of the training patients it learned from; absent: all',
    ),
  vocabulary: z.string().describe('sha256 of the vocabulary it speaks'),
  tokens: z.int().describe('codes in that vocabulary'),
  order: tokenOrder.optional().describe('of the tokens; absent where the vocabulary came from outside'),
  parameters: z.number(),
});

export type ModelCard = z.output<typeof modelCard>;

/** What cohorts of a model are called in scorecards. */
export const cohortNameOf = ({ generator, subset }: Pick<ModelCard, 'generator' | 'subset'>): string =>
  subset?.name ?? generator;

/** The generator of a name. Throws InvalidConfig naming those that exist. */
export const generatorNamed = (name: string): Generator => {
  const generator = generators.get(name);
  if (generator) return generator;
  throw new StageError(
    'InvalidConfig',
    `generator: there is no ${JSON.stringify(name)}; there are ${[...generators.keys()].join(', ')}`,
  );
};

/** A generator's config with its own defaults. Throws InvalidConfig naming the key. */
export const generatorConfig = (generator: Generator, config: unknown): unknown => {
  const { success, data, error } = generator.config.safeParse(config);
  if (success) return data;
  throw new StageError('InvalidConfig', `config of ${generator.name}: ${z.prettifyError(error)}`);
};

/** How a generator is to draw, with its own defaults. Throws InvalidConfig naming the key. */
export const generatorDrawing = (generator: Generator, drawing: Record<string, unknown>): unknown => {
  const { drawing: schema, name } = generator;
  if (!schema && Object.keys(drawing).length === 0) return {};
  if (!schema)
    throw new StageError(
      'InvalidConfig',
      `drawing of ${name}: it draws in one way only, expected no settings, found ${Object.keys(drawing).join(', ')}`,
    );
  const { success, data, error } = schema.safeParse(drawing);
  if (success) return data;
  throw new StageError('InvalidConfig', `drawing of ${name}: ${z.prettifyError(error)}`);
};
