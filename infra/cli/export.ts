import { resolve } from 'node:path';
import { z } from 'zod';
import { localPath } from '../../schemas/local-path.ts';
import { dataSetFields } from '../../schemas/stages/export.ts';
import { readEnvironment } from '../env.ts';
import { outputFolder } from '../output.ts';
import { defineCommand } from './command.ts';
import { driven } from './driven.ts';
import { shownPath } from './run-results.ts';

const options = z.object({
  ...dataSetFields.shape,
  generator: z
    .string()
    .min(1)
    .optional()
    .describe('whose cohort, where the run has several: the name of its branch, such as halo'),
  seed: z.int().nonnegative().default(0).describe('of what is invented: dates, stays, times of events'),
  out: localPath.describe('folder for the data set; made, and must not hold anything yet'),
});

export const exportCommand = defineCommand({
  name: 'export',
  summary: 'write synthetic patients as a data set that other code reads: MIMIC-III tables, a plain table, …',
  positionals: z.object({
    what: z
      .string()
      .min(1)
      .describe(
        'id of a run, digest of a report or a synthetic cohort in the store (the first six digits or more), or folder of a cohort',
      ),
  }),
  options,
  async run({ what, as, generator, format, seed, out }, io) {
    const { exportLayoutNamed } = await import('../../pipelines/exchange/write/registry.ts');
    const { writeExport } = await import('../../pipelines/exchange/write/write-export.ts');
    const { exportSource } = await import('./export-source.ts');
    const layout = exportLayoutNamed(as);
    const { store } = readEnvironment();
    const place = await outputFolder(out, [], false);
    try {
      const { scratch } = place;
      const { cohort, origin } = await exportSource(what, { generator, store, scratch });
      const summary = await place.publishFrom((folder) =>
        driven(writeExport({ cohort, layout, format, seed, origin }, { folder, scratch }), io),
      );
      const folder = resolve(out);
      for (const clause of summary.lost) io.err(`note: ${clause}`);
      io.out(
        `${origin.generator}, ${layout.title}: ${summary.patients} patients, ${summary.visits} visits, ${summary.rows} rows in ${summary.files.length} files\n\n` +
          `data set  ${shownPath(folder)}\nverdict   ${origin.verdict ?? 'not known: export by run or report to have it beside the data'}\n` +
          `next      see ${shownPath(folder)}/README.md, or in Python there:\n\n${layout
            .example(summary.format)
            .map((line) => `    ${line}`)
            .join('\n')}`,
      );
      const { generator: name, run, cohort: digest, report, verdict } = origin;
      return { generator: name, run, cohort: digest, report, verdict, ...summary, folder };
    } finally {
      await place.discard();
    }
  },
});
