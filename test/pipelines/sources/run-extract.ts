import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { extract } from '../../../activities/extract.ts';
import type { StageTools } from '../../../activities/stage-body.ts';
import { openDatabase } from '../../../pipelines/kernel/duckdb.ts';
import type { EventTable } from '../../../schemas/events.ts';
import { extraction } from '../../../schemas/extraction.ts';
import type { Progress } from '../../../schemas/progress.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

const toolsFor = (draft: string): StageTools => ({
  open: () => Promise.reject(new Error('extract has no inputs')),
  resume: () => Promise.resolve(0),
  part: (_part, compute) => compute(),
  signal: new AbortController().signal,
  log: { info: () => undefined, warn: () => undefined, debug: () => undefined },
  draft: {
    path: (file) => join(draft, file),
    write: (file, content) => writeFile(join(draft, file), content),
  },
});

/** The body of the stage, about to run on `source` and write into `draft`. */
export const startExtract = (source: string, draft: string, rejectLimit?: number) =>
  extract.run({ params: { source, layout: 'mimic-iii', rejectLimit }, inputs: {} }, toolsFor(draft));

/** Runs the body of the stage to its end in a draft of its own. */
export const runExtract = async (
  t: Pick<ExecutionContext, 'teardown'>,
  source: string,
  draft?: string,
  rejectLimit?: number,
) => {
  const folder = draft ?? (await tempFolder(t));
  const body = startExtract(source, folder, rejectLimit);
  const beats: Progress[] = [];
  let next = await body.next();
  for (; !next.done; next = await body.next()) beats.push(next.value);
  const report = extraction.parse(JSON.parse(await readFile(join(folder, 'extraction.json'), 'utf8')));
  return { folder, beats, summary: next.value, tables: report.tables };
};

/** Rows of what an SQL query finds in an extraction; tables are `{labs}`. */
export const query = async <T>(
  t: Pick<ExecutionContext, 'teardown'>,
  folder: string,
  sql: string,
): Promise<T[]> => {
  const scratch = join(await tempFolder(t), 'scratch');
  await mkdir(scratch);
  const database = await openDatabase(scratch, [folder]);
  try {
    return await database.rows<T>(
      sql.replaceAll(/\{(\w+)\}/g, (_, table: EventTable) => `'${join(folder, table)}.parquet'`),
    );
  } finally {
    database.close();
  }
};

/** Every rejected row, in the order of the artifact. */
export const rejectsOf = (t: Pick<ExecutionContext, 'teardown'>, folder: string) =>
  query<{ source_table: string; line: number; reason: string; detail: string }>(
    t,
    folder,
    'SELECT * FROM {rejects}',
  );

/** sha256 of each Parquet file. */
export const digestsOf = async (folder: string): Promise<Record<string, string>> => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.parquet')).sort();
  const digests = names.map(async (name) => {
    const content = await readFile(join(folder, name));
    return [name, createHash('sha256').update(content).digest('hex')] as const;
  });
  return Object.fromEntries(await Promise.all(digests));
};
