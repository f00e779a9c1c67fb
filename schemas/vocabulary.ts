import { z } from 'zod';
import { tokenKind } from './ehr.ts';

/**
 * The numbers that a bucket token stands for: low ≤ value < high; a sampled token is given a uniform one of
 * them.
 */
const bucket = z.object({
  low: z.number(),
  high: z.number(),
  unit: z.string().optional(),
  decimals: z
    .int()
    .nonnegative()
    .optional()
    .describe('that the numbers are written with; absent: as many as there are'),
});
export type Bucket = z.output<typeof bucket>;

export const tokenOrder = z.enum(['frequency', 'alphabetical', 'random']);

/** The ordered codes of a token cohort (index = token) and the names of its labels. */
export const vocabulary = z.object({
  codes: z.array(
    z.object({
      modality: tokenKind,
      code: z.string().describe('as in the source, leading zeros kept'),
      title: z.string().optional(),
      bucket: bucket.optional(),
    }),
  ),
  labels: z.array(z.string()),
  order: tokenOrder.optional().describe('how the tokens were put in order; absent where that is not known'),
});
export type Vocabulary = z.output<typeof vocabulary>;
