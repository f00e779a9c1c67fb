import { z } from 'zod';
import { tokenOrder } from '../../schemas/vocabulary.ts';

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
