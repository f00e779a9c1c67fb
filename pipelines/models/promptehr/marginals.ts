/**
 * The facts of a patient that has no record yet: number of visits, demographics, labels. No real patient is stored or
 * resampled: a forest of pairwise tables (Chow and Liu: Approximating discrete probability distributions with
 * dependence trees; IEEE Trans. Inf. Theory 14, 1968) over bins and levels that enough training patients share.
 */
import { z } from 'zod';
import type { Demographic } from '../../cohort/visit-columns.ts';

const variable = z.object({
  about: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('visits') }),
    z.object({ kind: z.literal('numeric'), name: z.string() }),
    z.object({ kind: z.literal('categorical'), name: z.string() }),
    z.object({ kind: z.literal('label'), label: z.int().nonnegative() }),
  ]),
  edges: z
    .array(z.number())
    .describe(
      'numeric: bin i lies between edges i and i + 1. visits: bin i is edges[i] visits; the last, as many or more',
    ),
  tail: z.number().nonnegative().describe('visits: mean number beyond the last edge'),
  parent: z.int().min(-1).describe('the variable this one depends on, earlier in the list; -1: none'),
  shares: z
    .array(z.number().nonnegative())
    .describe('[levels of the parent, levels], rows add up to one. The last level of a fact is unknown'),
});

export const promptMarginals = z.object({ variables: z.array(variable), labels: z.int().nonnegative() });
export type PromptMarginals = z.output<typeof promptMarginals>;

/** Patients about to be drawn: what their records are conditioned on. */
export interface DrawnFacts {
  /** Visits each is to have. */
  visits: Int32Array;
  /** `[patients, labels]` row-major, every label of the vocabulary. */
  labels: Uint8Array;
  /** Every prompt fact, with the levels the model knows. */
  demographics: Record<string, Demographic>;
}
