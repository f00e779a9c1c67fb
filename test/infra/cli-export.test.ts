import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { exportCommand } from '../../infra/cli/export.ts';
import { createFileStore } from '../../infra/store/fs.ts';
import type { TokenCohort } from '../../pipelines/patients/visit-columns.ts';
import { writeTokenCohort } from '../../pipelines/tokens/token-cohort-file.ts';
import type { ArtifactKind, ArtifactRef, Lineage } from '../../schemas/artifact.ts';
import { understudyHere } from '../helpers/cli-here.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { plainCodes, randomCohort } from '../pipelines/exchange/write/cohorts.ts';

const size = { patients: 5, visits: 5 };
const verdict = 'Do not release: whether halo protects training patients is inconclusive.';

/** A store with two synthetic cohorts, the real one they come from, and a report on both. */
const storeOfRun = async (t: ExecutionContext) => {
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
    draft.write('report.html', '<html></html>'),
  );
  return { folder, store: join(folder, 'store'), halo, marginal, real, report };
};

/** The command with this store; `env` of the process is put back. */
const exported = async (store: string, ...args: string[]) => {
  const before = process.env['UNDERSTUDY_STORE'];
  process.env['UNDERSTUDY_STORE'] = store;
  try {
    return await understudyHere(['export', ...args], [exportCommand]);
  } finally {
    if (before === undefined) delete process.env['UNDERSTUDY_STORE'];
    else process.env['UNDERSTUDY_STORE'] = before;
  }
};

test.serial('a report names its cohorts: one is chosen, and the verdict comes along', async (t) => {
  const { folder, store, report, halo } = await storeOfRun(t);
  const out = join(folder, 'out');
  const several = await exported(store, report.digest, '--as', 'long', '--out', out);
  t.is(several.exit, 64);
  t.regex(several.err, /cohorts of 2 generators; choose one: --generator halo or --generator marginal/);
  const wrong = await exported(store, report.digest, '--generator', 'hal', '--as', 'long', '--out', out);
  t.regex(wrong.err, /no generator "hal"; did you mean halo\?/);
  t.deepEqual(await readdir(folder), ['store'], 'a refusal leaves nothing behind');

  const done = await exported(
    store,
    report.digest.slice(0, 12),
    '--generator',
    'halo',
    '--as',
    'mimic-iii',
    '--out',
    out,
    '--json',
  );
  t.is(done.exit, 0, done.err);
  const result = JSON.parse(done.out);
  t.like(result, {
    generator: 'halo',
    cohort: halo.digest,
    report: report.digest,
    verdict,
    layout: 'mimic-iii',
    format: 'csv',
    patients: 5,
    folder: out,
  });
  t.deepEqual((await readdir(out)).sort(), [...result.files].sort());
  const readme = await readFile(join(out, 'README.md'), 'utf8');
  t.true(readme.includes(verdict));
  t.regex(readme, /Derived from real tables in the layout mimic-iii/);
  const lineage = await readFile(join(out, 'lineage.json'), 'utf8');
  t.false(lineage.includes('somebody'), 'no path of the machine leaves it');
  t.deepEqual(
    JSON.parse(lineage).steps.map(({ stage }: { stage: string }) => stage),
    ['extract', 'generate'],
  );
});

test.serial('a digest, the folder of an artifact and a bare folder give the same tables', async (t) => {
  const { folder, store, halo } = await storeOfRun(t);
  const place = join(store, 'artifacts', 'token-cohort', halo.digest);
  const bare = join(folder, 'bare');
  await mkdir(bare);
  for (const file of ['tokens.arrow', 'vocabulary.json', 'token-cohort.json'])
    await cp(join(place, file), join(bare, file));
  const tables: Buffer[] = [];
  for (const [i, what] of [halo.digest.slice(0, 8), place, bare].entries()) {
    const out = join(folder, `out-${i}`);
    const { exit, out: text, err } = await exported(store, what, '--as', 'pyhealth', '--out', out);
    t.is(exit, 0, err);
    t.regex(text, /^halo, frame of PyHealth/);
    t.true(text.includes(`data set  `) && text.includes('import pandas as pd'));
    tables.push(await readFile(join(out, 'frame.parquet')));
    const { steps } = JSON.parse(await readFile(join(out, 'lineage.json'), 'utf8'));
    t.is(steps.length, what === bare ? 0 : 2, 'lineage as far as there is one');
  }
  t.true(tables.every((table) => table.equals(tables[0] as Buffer)));
});

test.serial('what cannot be exported is refused, and says why', async (t) => {
  const { folder, store, halo, real } = await storeOfRun(t);
  const full = join(folder, 'full');
  await mkdir(full);
  await writeFile(join(full, 'mine.txt'), 'mine');
  const out = join(folder, 'out');
  const cases: [args: string[], exit: number, message: RegExp][] = [
    [[real.digest, '--as', 'long', '--out', out], 64, /real patients are never exported/],
    [[halo.digest, '--as', 'long', '--out', full], 64, /holds other files than ours \(mine.txt\)/],
    [[halo.digest, '--as', 'mimic-4', '--out', out], 64, /there is no layout "mimic-4"/],
    [[halo.digest, '--as', 'reference-json', '--format', 'csv', '--out', out], 64, /has a format of its own/],
    [['abcdef123456', '--as', 'long', '--out', out], 66, /no synthetic cohort and no report abcdef123456/],
    [
      ['no/such/folder', '--as', 'long', '--out', out],
      66,
      /no such folder; expected a run, a digest or a folder/,
    ],
    [[halo.digest, '--as', 'long', '--out', 's3://bucket/x'], 64, /s3:\/\/ is not supported/],
  ];
  for (const [args, exit, message] of cases) {
    const ended = await exported(store, ...args);
    t.is(ended.exit, exit, args.join(' '));
    t.regex(ended.err, message);
  }
  t.deepEqual((await readdir(folder)).sort(), ['full', 'store']);
  t.deepEqual(await readdir(full), ['mine.txt']);
});
