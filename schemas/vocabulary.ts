import { z } from 'zod';
import { tokenKind } from './ehr.ts';

/** The numbers that a bucket token stands for: low ≤ value < high; a sampled token is given a uniform one of them. */
const bucket = z.object({
  low: z.number(),
  high: z.number(),
  unit: z.string().optional(),
});

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
});
export type Vocabulary = z.output<typeof vocabulary>;
