import type { ExecutionContext } from 'ava';
import { createFileStore } from '../../infra/store/fs.ts';
import {
  type TokenCohort,
  type VisitColumns,
  VisitColumnsBuilder,
} from '../../pipelines/patients/visit-columns.ts';
import { writeTokenCohort } from '../../pipelines/tokens/token-cohort-file.ts';
import { planted } from '../pipelines/generators/planted-cohort.ts';
import { tempFolder } from './temp-folder.ts';

/** The planted patients as a real token cohort, committed to a store of the test's own. */
export const storeWithCohort = async (t: ExecutionContext, vocabulary = planted().vocabulary) => {
  const store = createFileStore(await tempFolder(t));
  const { train: training, validation } = planted();
  const builder = new VisitColumnsBuilder();
  const split: number[] = [];
  const add = (columns: VisitColumns, part: number) => {
    for (let p = 0; p + 1 < columns.visitOffsets.length; p++) {
      const visits: Int32Array[] = [];
      for (let v = columns.visitOffsets[p] as number; v < (columns.visitOffsets[p + 1] as number); v++)
        visits.push(columns.codes.subarray(columns.codeOffsets[v], columns.codeOffsets[v + 1]));
      builder.addPatient(visits, columns.labels.subarray(p * 2, p * 2 + 2));
      split.push(part);
    }
  };
  add(training, 0);
  add(validation, 1);
  const cohort: TokenCohort = { ...builder.build(), vocabulary, split: Uint8Array.from(split) };
  const draft = await store.draft('token-cohort');
  await writeTokenCohort(draft, cohort);
  const lineage = { stage: 'tokenize', version: 1, params: {}, inputs: {}, code: '', engine: 'test' };
  const recorded = { at: '2026-11-21T00:00:00Z', seconds: 0, attempt: 1 };
  return { store, cohort: await draft.commit({ lineage, summary: {}, recorded }) };
};
