import { z } from 'zod';
import { defineStage } from '../stage.ts';

/** How the tables of a data set may be written; other files of a layout have one format of their own. */
export const tableFormats = ['csv', 'parquet'] as const;
export type TableFormat = (typeof tableFormats)[number];

/** What a user chooses of a data set, in a run config and in the params of the stage alike. */
export const dataSetFields = z.object({
  as: z.string().min(1).describe('layout of the data set, see docs/export.md'),
  format: z
    .enum(tableFormats)
    .optional()
    .describe('of its tables, where the layout has a choice; csv is compressed with gzip'),
});

export const exportDataSet = defineStage({
  name: 'export',
  title: 'Synthetic cohort to a data set that other code reads',
  version: 1,
  inputs: { synthetic: 'token-cohort', report: 'report' },
  output: 'data-set',
  params: dataSetFields.extend({
    branch: z.string().describe('name of the cohort in the data set'),
    seed: z.int().nonnegative().default(0).describe('of what is invented: dates, stays, times of events'),
  }),
  policy: { queue: 'cpu', startToClose: '4h', heartbeat: '2m', attempts: 4 },
});
