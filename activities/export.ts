import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { exportOrigin } from '../pipelines/exchange/write/export-origin.ts';
import { exportLayoutFile, exportLayoutNamed } from '../pipelines/exchange/write/registry.ts';
import { writeExport } from '../pipelines/exchange/write/write-export.ts';
import { readTokenCohort } from '../pipelines/tokens/token-cohort-file.ts';
import { exportDataSet as contract } from '../schemas/stages/export.ts';
import { defineBody } from './stage-body.ts';

/** Synthetic cohort → the files of a data set, with the verdict of the run's report beside them. */
export const exportDataSet = defineBody(contract, {
  code: import.meta.url,
  codeOf: ({ as }) => [exportLayoutFile(as)],
  async *run({ params, inputs }, { open, draft }) {
    const { as, format, branch, seed } = params;
    const cohort = await readTokenCohort(await open(inputs.synthetic));
    const origin = await exportOrigin(inputs.synthetic, open, { generator: branch, report: inputs.report });
    const scratch = draft.path('scratch');
    const request = { cohort, layout: exportLayoutNamed(as), format, seed, origin };
    try {
      const summary = yield* writeExport(request, { folder: dirname(scratch), scratch });
      const { patients, visits, rows, files, lost } = summary;
      return {
        layout: as,
        patients,
        visits,
        rows,
        files: files.length,
        ...(lost.length > 0 && { lost: lost.join('; ') }),
      };
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  },
});
