import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { exportDataSet } from '../../activities/export.ts';
import { runStage } from '../../activities/stage-runner.ts';
import { exportCommand } from '../../infra/cli/export.ts';
import { showResults } from '../../infra/cli/run-results.ts';
import type { NodeView } from '../../infra/cli/run-view.ts';
import type { ArtifactRef } from '../../schemas/artifact.ts';
import { stages } from '../../schemas/stages/index.ts';
import { understudyHere } from '../helpers/cli-here.ts';
import { localHost } from '../helpers/local-host.ts';
import { storeOfRun, verdict } from '../helpers/synthetic-store.ts';
import { digestsOf } from '../pipelines/exchange/write/cohorts.ts';

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
  const { folder, place: store, report, halo } = await storeOfRun(t);
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
  const { folder, place: store, halo } = await storeOfRun(t);
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
  const { folder, place: store, halo, real } = await storeOfRun(t);
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

test.serial('the stage leaves the bytes that the command writes, and a run copies them out', async (t) => {
  const { folder, place, store, halo, report } = await storeOfRun(t);
  const made = new Map<string, ArtifactRef>();
  for (const as of ['long', 'mimic-iii']) {
    const task = {
      node: `export:halo:${as}`,
      params: { as, branch: 'halo', seed: 0 },
      inputs: { synthetic: halo, report },
    };
    const tools = { store, engine: 'test' };
    const { ref, summary } = await runStage(stages.export, exportDataSet, task, tools, localHost());
    t.like(summary, { layout: as, patients: 5 });
    t.is((await runStage(stages.export, exportDataSet, task, tools, localHost())).cached, true);
    made.set(as, ref);
    const out = join(folder, as);
    const ended = await exported(place, report.digest, '--generator', 'halo', '--as', as, '--out', out);
    t.is(ended.exit, 0, ended.err);
  }
  const node = (id: string, stage: string, ref: ArtifactRef): NodeView => ({
    ...{ id, stage, queue: 'cpu', state: 'done' },
    result: { ref, cached: false, why: '', summary: {} },
  });
  const nodes = [
    node('generate:halo', 'generate', halo),
    node('report', 'report', report),
    ...[...made].map(([as, ref]) => node(`export:halo:${as}`, 'export', ref)),
  ];
  const out = join(folder, 'results');
  for (const time of ['first', 'again']) {
    const lines: string[] = [];
    const results = await showResults(
      { run: 'x', state: 'completed', nodes },
      { store: place, out },
      (line) => lines.push(line),
    );
    t.regex(lines.join('\n'), /data set halo:long .*results\/halo-long\n/, time);
    t.regex(lines.join('\n'), /understudy export [0-9a-f]{12} --as mimic-iii --out DIR/);
    t.deepEqual(results?.exports, {
      'halo:long': join(out, 'halo-long'),
      'halo:mimic-iii': join(out, 'halo-mimic-iii'),
    });
    for (const as of made.keys())
      t.deepEqual(await digestsOf(join(out, `halo-${as}`)), await digestsOf(join(folder, as)), as);
  }
});
