import { z } from 'zod';

/** The shape of a HALO model: everything that decides the shapes of its weights. */
export interface Architecture {
  /** Transformer blocks (the paper's M). */
  layers: number;
  heads: number;
  /** Width of a visit's history (the paper's n_emb). */
  embedding: number;
  codes: number;
  /** Columns of facts, and labels. */
  labels: number;
  /** Columns of each demographic fact, which are the first labels; absent where there are none. */
  facts?: readonly number[];
  /** Most visits of a record; a record takes two positions more, for start and labels. */
  maxVisits: number;
  /** Rows of the position table; at least maxVisits + 2. */
  positions: number;
}

const size = z.int().positive();

/** An architecture as a model's json has it. */
export const storedArchitecture: z.ZodType<Architecture> = z.object({
  layers: size,
  heads: size,
  embedding: size,
  codes: size,
  labels: z.int().nonnegative(),
  facts: z.array(size).optional(),
  maxVisits: size,
  positions: size,
});
