import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { evaluateCommand } from '../../infra/cli/evaluate.ts';
import { main } from '../../infra/cli/main.ts';
import { metricsOf } from '../../pipelines/metrics/registry.ts';
import type { ReportData } from '../../pipelines/report/report-data.ts';
import { type Scorecard, scorecard } from '../../schemas/scorecard.ts';
import { understudy as asProcess, type Ended } from '../helpers/cli-process.ts';
import { demoFolder } from '../helpers/mimic-folder.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const golden = async <T>(file: string): Promise<T> =>
  JSON.parse(await readFile(new URL(`../fixtures/golden/${file}`, import.meta.url), 'utf8'));

/** The command line in this process: a start of its own takes longer than the work. */
const understudy = async (args: string[], stopAt: RegExp = /(?!)/): Promise<Ended> => {
  let [out, err] = ['', ''];
  const abort = new AbortController();
  const exit = await main(args, [evaluateCommand], {
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
      if (stopAt.test(text)) abort.abort();
    },
    signal: abort.signal,
  });
  return { exit, out, err };
};

interface Patient {
  visits: number[][];
  labels: number[];
}
type Split = Record<'train' | 'test' | 'synthetic', Patient[]>;

/** The three sides of split.json as files, and the flags that name them. */
const splitSides = async (t: ExecutionContext) => {
  const folder = await tempFolder(t);
  const split = await golden<Split>('split.json');
  const flags: string[] = [];
  for (const side of ['train', 'test', 'synthetic'] as const) {
    const path = join(folder, `${side}.json`);
    await writeFile(path, JSON.stringify(split[side]));
    flags.push(`--${side}`, path);
  }
  return { folder, split, flags, out: join(folder, 'out') };
};

/** Metrics that take seconds; their own tests show that they give the same again. */
const trainsModels = new Set(['membership-shadow', 'attribute-imputation']);

const cardIn = async (folder: string): Promise<Scorecard> =>
  scorecard.parse(JSON.parse(await readFile(join(folder, 'scorecard.json'), 'utf8')));

const rowOf = (card: Scorecard, metric: string, row: string) =>
  card.rows.find((candidate) => candidate.metric === metric && candidate.row === row);

const rowsOfTables: [table: string, metric: string, row: string][] = [
  ['Per Record Code Probabilities', 'code-prevalence', 'reference-record-r2'],
  ['Per Visit Code Probabilities', 'code-prevalence', 'visit-r2'],
  ['Per Record Bigram Probabilities', 'code-pairs', 'reference-record-r2'],
  ['Per Visit Bigram Probabilities', 'code-pairs', 'visit-r2'],
  ['Per Record Sequential Visit Bigram Probabilities', 'sequential-pairs', 'reference-record-r2'],
  ['Per Visit Sequential Visit Bigram Probabilities', 'sequential-pairs', 'reference-visit-r2'],
];

test('split.json through the command line gives the golden numbers', async (t) => {
  const { folder, flags, out } = await splitSides(t);
  const args = ['evaluate', ...flags, '--families', 'similarity', '--replicates', '0', '--json', '--out'];
  const first = await asProcess([...args, out]);
  t.is(first.exit, 0, first.err);
  const { similarity } = await golden<{ similarity: Record<string, { r2: Record<string, number> }> }>(
    'golden_similarity.json',
  );
  const card = await cardIn(out);
  for (const [table, metric, row] of rowsOfTables) {
    const found = rowOf(card, metric, row);
    const close = (value: number | null | undefined, wanted: number | undefined) =>
      Math.abs((value ?? Number.NaN) - (wanted ?? 0)) <= 1e-12 * Math.abs(wanted ?? 0);
    t.true(close(found?.value, similarity['split_train_vs_synthetic']?.r2[table]), table);
    t.true(
      close(found?.holdout, similarity['split_train_vs_test']?.r2[table]),
      `${table}, real test patients`,
    );
  }
  t.deepEqual(card.cohorts, {
    real: { patients: 300, visits: 706 },
    synthetic: { patients: 300, visits: 653 },
    holdout: { patients: 100, visits: card.cohorts.holdout.visits },
    shared: { holdoutInTraining: 0, of: 100, byChance: 0, isInTraining: false, isInSynthetic: false },
  });

  const told = JSON.parse(first.out);
  const baseline = scorecard.parse(JSON.parse(await readFile(join(out, 'baseline.json'), 'utf8')));
  t.is(baseline.generator, 'marginal');
  t.deepEqual(baseline.cohorts.synthetic.patients, 300);
  t.deepEqual(
    told.baseline['Same-visit co-occurrence R²'],
    rowOf(baseline, 'code-pairs', 'record-r2')?.value,
  );
  t.true((rowOf(baseline, 'code-prevalence', 'record-r2')?.value ?? 0) > 0.9, 'it has single codes right');
  const page: ReportData = JSON.parse(await readFile(join(out, 'report.json'), 'utf8'));
  t.deepEqual(page.generators.map(({ name, isBaseline }) => [name, isBaseline]).sort(), [
    ['marginal', true],
    ['synthetic', false],
  ]);
  t.is(told.generator, 'synthetic');
  t.is(told.headline['Code prevalence R²'], rowOf(card, 'code-prevalence', 'record-r2')?.value ?? undefined);
  t.deepEqual((await readdir(out)).sort(), ['baseline.json', 'report.html', 'report.json', 'scorecard.json']);
  t.deepEqual((await readdir(folder)).sort(), ['out', 'synthetic.json', 'test.json', 'train.json']);
});

test('the demo folder against itself is perfect, and what that cannot show is said', async (t) => {
  const out = join(await tempFolder(t), 'out');
  const sides = ['--train', demoFolder, '--test', demoFolder, '--synthetic', demoFolder];
  const args = [
    'evaluate',
    ...sides,
    '--metrics',
    'code-prevalence,copies',
    '--replicates',
    '0',
    '--out',
    out,
  ];
  const { exit, err, out: said } = await understudy(args);
  t.is(exit, 0, err);
  t.regex(err, /train: 100 patients, read as mimic-iii/);
  t.regex(err, /whole record of a training patient.*so checks that need strangers are inconclusive/);
  t.regex(said, /Code prevalence R²/);
  const card = await cardIn(out);
  t.is(rowOf(card, 'code-prevalence', 'record-r2')?.value, 1);
  t.deepEqual([...new Set(card.rows.map(({ metric }) => metric))], ['code-prevalence', 'copies']);
  const page = await readFile(join(out, 'report.html'), 'utf8');
  t.regex(page, /Evaluation of mimic3-demo/);
  t.false(page.includes(demoFolder), 'no path of this machine on the page');
  const { lineage }: ReportData = JSON.parse(await readFile(join(out, 'report.json'), 'utf8'));
  t.deepEqual(
    lineage.map(({ title }) => title),
    [
      'read train',
      'read test',
      'read synthetic',
      'evaluate mimic3-demo',
      'evaluate marginal, fitted to train',
    ],
  );
});

test('a MIMIC folder and JSON of diagnoses: formats mix, and what one side lacks is told', async (t) => {
  const folder = await tempFolder(t);
  const { patients } = await golden<{ patients: { icd9: string[][]; labels: number[] }[] }>(
    'demo_cohort.json',
  );
  const synthetic = join(folder, 'mine.json');
  await writeFile(synthetic, JSON.stringify(patients.map(({ icd9, labels }) => ({ visits: icd9, labels }))));
  const judge = (...more: string[]) =>
    understudy([
      'evaluate',
      '--train',
      demoFolder,
      '--synthetic',
      synthetic,
      '--metrics',
      'code-prevalence,label-prevalence',
      '--replicates',
      '0',
      ...more,
    ]);
  const out = join(folder, 'dx');
  const { exit, err } = await judge('--modalities', 'dx', '--out', out);
  t.is(exit, 0, err);
  t.regex(err, /there are no test patients/);
  const card = await cardIn(out);
  t.is(card.generator, 'mine');
  t.is(rowOf(card, 'code-prevalence', 'record-r2')?.value, 1);
  t.is(rowOf(card, 'label-prevalence', 'mean-absolute-difference')?.value, 0);
  const all = await judge('--out', join(folder, 'all'));
  t.regex(all.err, /synthetic has no px, no rx code where train has some/);
});

test('what is there is only replaced when asked, and never when it holds other things', async (t) => {
  const { flags, out } = await splitSides(t);
  const args = ['evaluate', ...flags, '--metrics', 'codes-per-visit', '--replicates', '0', '--out', out];
  t.is((await understudy(args)).exit, 0);
  const before = await cardIn(out);
  const refused = await understudy(args);
  t.is(refused.exit, 64);
  t.regex(refused.err, /is there already: .*--force/);
  t.is((await understudy([...args, '--seed', '3', '--force'])).exit, 0);
  t.deepEqual(await cardIn(out), before);
  await writeFile(join(out, 'mine.txt'), 'keep me');
  const kept = await understudy([...args, '--force']);
  t.is(kept.exit, 64);
  t.regex(kept.err, /holds other files than ours \(mine\.txt\)/);
  t.is(await readFile(join(out, 'mine.txt'), 'utf8'), 'keep me');
});

test('errors follow the table and leave nothing behind', async (t) => {
  const { folder, flags, out } = await splitSides(t);
  const [, train = '', , held = ''] = flags;
  const judge = (...args: string[]) => understudy(['evaluate', '--out', out, ...args]);
  const none = join(folder, 'none');
  const cases: [args: string[], exit: number, message: RegExp][] = [
    [['--train', train], 64, /--synthetic is missing/],
    [['--train', none, '--synthetic', train], 66, /there is nothing of that name/],
    [['--train', train, '--synthetic', join(demoFolder, 'LICENSE.txt')], 65, /no layout that we know/],
    [['--train', train, '--synthetic', demoFolder], 65, /no code of synthetic occurs in train \(/],
    [['--train', train, '--synthetic', held, '--model', none], 66, /should be the folder of a model/],
    [['--train', train, '--synthetic', held, '--metrics', 'code-pears'], 64, /did you mean code-pairs/],
    [
      ['--train', train, '--synthetic', held, '--families', 'privacy', '--metrics', 'code-pairs'],
      64,
      /none of the metrics asked for is of family privacy/,
    ],
    [
      ['--train', train, '--synthetic', held, '--modalities', 'px'],
      65,
      /no patient has a code of the modalities/,
    ],
  ];
  const ended = await Promise.all(cases.map(([args]) => judge(...args)));
  ended.forEach(({ exit, err }, i) => {
    const [args, wanted, message] = cases[i] as (typeof cases)[number];
    t.is(exit, wanted, `${args.join(' ')}: ${err}`);
    t.regex(err, message);
  });
  t.deepEqual((await readdir(folder)).sort(), ['synthetic.json', 'test.json', 'train.json']);
});

test('Ctrl-C ends it with 130, and nothing half-written stays', async (t) => {
  const { folder, flags, out } = await splitSides(t);
  const args = ['evaluate', ...flags, '--families', 'similarity', '--replicates', '0', '--out', out];
  t.is((await understudy(args, /codes-per-visit/)).exit, 130);
  t.deepEqual((await readdir(folder)).sort(), ['synthetic.json', 'test.json', 'train.json']);
});

test('the same cohorts give the same bytes, from another path and in another spelling', async (t) => {
  const { folder, split, flags, out } = await splitSides(t);
  const metrics = (['similarity', 'privacy'] as const).flatMap((family) => [...metricsOf(family).keys()]);
  const asked = metrics.filter((name) => !trainsModels.has(name)).join(',');
  const args = ['evaluate', '--metrics', asked, '--replicates', '5'];
  t.is((await understudy([...args, ...flags, '--out', out])).exit, 0);
  const again = join(folder, 'again');
  await mkdir(join(folder, 'moved'));
  const moved = join(folder, 'moved', 'synthetic.json');
  await writeFile(moved, JSON.stringify(split.synthetic, null, 1));
  t.is((await understudy([...args, ...flags.with(5, moved), '--out', again])).exit, 0);
  for (const file of await readdir(out))
    t.true((await readFile(join(again, file))).equals(await readFile(join(out, file))), file);
});
