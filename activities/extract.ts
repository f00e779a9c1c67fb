import { extractTables } from '../pipelines/sources/extract-tables.ts';
import type { SourceLayout } from '../pipelines/sources/layout.ts';
import { mimicIii } from '../pipelines/sources/mimic-iii.ts';
import { fingerprintSource } from '../pipelines/sources/source-folder.ts';
import type { Extraction } from '../schemas/extraction.ts';
import type { StageParams } from '../schemas/stage.ts';
import { type Stages, stages } from '../schemas/stages/index.ts';
import { defineBody, type Summary } from './stage-body.ts';

const layouts: Record<StageParams<Stages['extract']>['layout'], SourceLayout> = { 'mimic-iii': mimicIii };

const summarize = ({ tables }: Extraction): Summary => {
  const summary: Summary = {};
  let rejected = 0;
  for (const { target, read, kept } of Object.values(tables)) {
    summary[target] = kept;
    rejected += read - kept;
  }
  return { ...summary, rejected };
};

/**
 * Source folder → one Parquet file per event table, rejects.parquet, and extraction.json with every count.
 */
export const extract = defineBody(stages.extract, {
  code: import.meta.url,
  fingerprint: ({ layout, source }) => fingerprintSource(layouts[layout], source),
  async *run({ params }, { draft, log }) {
    const extraction = yield* extractTables(layouts[params.layout], params.source, draft, params.rejectLimit);
    for (const [table, { read, kept, rejected }] of Object.entries(extraction.tables))
      if (kept < read) log.warn({ table, read, kept, rejected }, 'rows were rejected');
    await draft.write('extraction.json', `${JSON.stringify(extraction, null, 2)}\n`);
    return summarize(extraction);
  },
});
