import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { createFileStore } from '../../infra/store/fs.ts';
import type { TokenCohort } from '../../pipelines/patients/visit-columns.ts';
import { writeTokenCohort } from '../../pipelines/tokens/token-cohort-file.ts';
import type { ArtifactKind, ArtifactRef, Lineage } from '../../schemas/artifact.ts';
import { plainCodes, randomCohort } from '../pipelines/exchange/write/cohorts.ts';
import { tempFolder } from './temp-folder.ts';

const size = { patients: 5, visits: 5 };

/** What the report of the store states. */
export const verdict = 'Do not release: whether halo protects training patients is inconclusive.';

/** A store with two synthetic cohorts, the real one they come from, and a report on both. */
export const storeOfRun = async (t: ExecutionContext) => {
  const folder = await tempFolder(t);
  const store = createFileStore(join(folder, 'store'));
  const put = async (
    kind: ArtifactKind,
    made: Partial<Lineage>,
    summary: Record<string, string>,
    write: (draft: Awaited<ReturnType<typeof store.draft>>) => Promise<unknown>,
  ): Promise<ArtifactRef> => {
    const draft = await store.draft(kind);
    await write(draft);
    const lineage = {
      stage: 'generate',
      version: 1,
      params: {},
      inputs: {},
      code: 'c',
      engine: 'test',
      ...made,
    };
    return draft.commit({
      lineage,
      summary,
      recorded: { at: '2026-12-01T00:00:00Z', seconds: 0, attempt: 1 },
    });
  };
  const source = { stage: 'extract', params: { source: '/home/somebody/mimic', layout: 'mimic-iii' } };
  const events = await put('events', source, {}, (draft) => draft.write('a.txt', 'a'));
  const cohort = (
    seed: number,
    change: Partial<TokenCohort>,
    inputs: Lineage['inputs'] = { events: [events] },
  ) =>
    put('token-cohort', { inputs }, {}, (draft) =>
      writeTokenCohort(draft, { ...randomCohort(seed, { patients: 5, codes: plainCodes }), ...change }),
    );
  const halo = await cohort(1, { generator: 'halo' });
  const marginal = await cohort(2, { generator: 'marginal' });
  const real = await cohort(3, { generator: undefined, split: new Uint8Array(5) });
  const card = (generator: string, synthetic: ArtifactRef) =>
    put('scorecard', { stage: 'similarity', inputs: { synthetic: [synthetic] } }, {}, (draft) =>
      draft.write(
        'scorecard.json',
        JSON.stringify({
          ...{ generator, metrics: [], rows: [] },
          cohorts: { real: size, synthetic: size, holdout: size },
        }),
      ),
    );
  const cards = [await card('halo', halo), await card('marginal', marginal)];
  const report = await put('report', { stage: 'report', inputs: { cards } }, { verdict }, (draft) =>
    draft.write('report.html', '<html></html>').then(() => draft.write('report.json', '{}')),
  );
  return { folder, place: join(folder, 'store'), store, halo, marginal, real, report };
};
