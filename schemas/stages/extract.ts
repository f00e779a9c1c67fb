import { z } from 'zod';
import { localPath } from '../local-path.ts';
import { defineStage } from '../stage.ts';

export const extract = defineStage({
  name: 'extract',
  title: 'Source tables to typed Parquet',
  version: 1,
  inputs: {},
  output: 'events',
  params: z.object({
    source: localPath.describe('folder that holds the tables (.csv, .csv.gz or .parquet)'),
    rejectLimit: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe(
        'largest share of rejected rows of a table, and of unreadable cells of a column, that is accepted; default 0.2',
      ),
    layout: z.enum(['mimic-iii']).default('mimic-iii').describe('table layout of the source'),
  }),
  // The fingerprint is over names and contents of the files: the same tables elsewhere are the same source.
  incidental: ['source'],
  policy: { queue: 'cpu', startToClose: '6h', heartbeat: '2m', attempts: 4 },
});
