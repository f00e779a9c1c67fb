import { join } from 'node:path';
import type { Draft } from '../../../schemas/store.ts';
import { assembleCohort } from '../../cohort/assemble-cohort.ts';
import { cohortTables } from '../../cohort/assemble-sql.ts';
import { drainAsync } from '../../kernel/steps.ts';
import { extractTables } from '../../sources/extract-tables.ts';
import { mimicIii } from '../../sources/mimic-iii.ts';
import { tokenizeCohort } from '../../tokens/tokenize-cohort.ts';
import type { CohortLayout } from './outside-cohort.ts';

const tableNames = mimicIii.tables.map(({ source }) => source.toLowerCase());
const isTable = (file: string): boolean =>
  tableNames.some((table) =>
    ['.csv', '.csv.gz', '.parquet'].some((end) => file.toLowerCase() === table + end),
  );

const rejectedRows = (tables: Awaited<ReturnType<typeof extracted>>['tables']): string[] => {
  const lost = Object.entries(tables).filter(([, { read, kept }]) => read > kept);
  return lost.map(([table, { read, kept }]) => `${table}: ${read - kept} of ${read} rows were turned away`);
};

const extracted = (source: string, draft: Pick<Draft, 'path'>) =>
  drainAsync(extractTables(mimicIii, source, draft));

/**
 * Tables of MIMIC-III, read as a run reads them: same visits, same codes, same 25 labels; no patient is split
 * off.
 */
export const mimicLayout: CohortLayout = {
  name: 'mimic-iii',
  about:
    'a folder with the tables of MIMIC-III (PATIENTS, ADMISSIONS, DIAGNOSES_ICD, …) as .csv, .csv.gz or .parquet',
  recognizes: ({ kind, files }) => kind === 'folder' && files.filter(isTable).length > 1,
  async read({ path }, { scratch, modalities }) {
    const draft = { path: (file: string) => join(scratch, file) };
    const { tables } = await extracted(path, draft);
    const paths = cohortTables.map((table) => [table, draft.path(`${table}.parquet`)]);
    const unsplit = { split: { validation: 0, holdout: 0 }, seed: 0, minVisits: 1, minAge: 0 };
    const { cohort } = await drainAsync(
      assembleCohort(Object.fromEntries(paths), { ...unsplit, drugTypes: ['MAIN'], labValue: 'last' }, draft),
    );
    const { tokens } = tokenizeCohort(cohort, {
      modalities,
      minCount: 1,
      unknown: 'drop',
      order: 'alphabetical',
      labs: 'presence',
      gaps: false,
      buckets: { count: 2, leastPatients: 1, trim: 0 },
      seed: 0,
    });
    const { split: _everybody, ...rest } = tokens;
    return { ...rest, labelsNamed: true, notes: rejectedRows(tables) };
  },
};
