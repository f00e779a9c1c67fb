import { z } from 'zod';
import { modality } from './ehr.ts';

/** The ordered codes of a token cohort (index = token) and the names of its labels. */
export const vocabulary = z.object({
  codes: z.array(
    z.object({
      modality,
      code: z.string().describe('as in the source, leading zeros kept'),
      title: z.string().optional(),
    }),
  ),
  labels: z.array(z.string()),
});
export type Vocabulary = z.output<typeof vocabulary>;
