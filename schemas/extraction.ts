import { z } from 'zod';

const counts = z.record(z.string(), z.int());

/**
 * `extraction.json` of an `events` artifact: what became of every row. `read` = `kept` + all of `rejected`.
 */
export const extraction = z.object({
  layout: z.string(),
  tables: z.record(
    z.string().describe('source table'),
    z.object({
      target: z.string().describe('event table it became'),
      file: z.string().nullable().describe('null: the source has no such table'),
      sha256: z.string().nullable(),
      read: z.int(),
      kept: z.int(),
      rejected: counts.describe('rejected rows, by reason'),
      notes: counts.describe('oddities of kept rows, by kind; `unreadable-cell <column>` per column'),
    }),
  ),
});
export type Extraction = z.output<typeof extraction>;
