import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assembleCohort } from '../pipelines/cohort/assemble-cohort.ts';
import { cohortTables } from '../pipelines/cohort/assemble-sql.ts';
import type { TokenCohort } from '../pipelines/patients/visit-columns.ts';
import { extractTables } from '../pipelines/sources/extract-tables.ts';
import { mimicIii } from '../pipelines/sources/mimic-iii.ts';
import { tokenizeCohort } from '../pipelines/tokens/tokenize-cohort.ts';
import { stages } from '../schemas/stages/index.ts';

/** The MIMIC-III demo, 100 patients. */
export const demoFolder = fileURLToPath(new URL('../test/fixtures/mimic3-demo', import.meta.url));

const last = async <T>(work: AsyncGenerator<unknown, T>): Promise<T> => {
  let turn = await work.next();
  while (!turn.done) turn = await work.next();
  return turn.value;
};

/** The token cohort that a run with default parameters makes of a folder of MIMIC-III tables. */
export const tokensOf = async (folder: string): Promise<TokenCohort> => {
  const scratch = await mkdtemp(join(tmpdir(), 'tokens-'));
  try {
    const draft = { path: (file: string) => join(scratch, file) };
    await last(extractTables(mimicIii, folder, draft));
    const paths = cohortTables.map((table) => [table, draft.path(`${table}.parquet`)]);
    const rules = stages.assemble.params.parse({});
    const { cohort } = await last(assembleCohort(Object.fromEntries(paths), rules, draft));
    return tokenizeCohort(cohort, stages.tokenize.params.parse({})).tokens;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
};
