import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { initCommand } from '../../infra/cli/init.ts';
import { loadConfig } from '../../infra/cli/load-config.ts';
import { openCommand } from '../../infra/cli/open.ts';
import { planCommand } from '../../infra/cli/plan.ts';
import { runCommand } from '../../infra/cli/run.ts';
import { surveyTables } from '../../infra/cli/source-survey.ts';
import { understudyHere } from '../helpers/cli-here.ts';
import { demoFolder } from '../helpers/mimic-folder.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

test('init writes a config that a run accepts, for the tables that are there; it replaces nothing unasked', async (t) => {
  const folder = await tempFolder(t);
  const source = join(folder, 'my tables');
  await cp(demoFolder, source, { recursive: true });
  await writeFile(join(source, 'PROCEDURES_ICD.csv'), 'ROW_ID,SUBJECT_ID,HADM_ID,SEQ_NUM,ICD9_CODE\n');
  await rm(join(source, 'PROCEDURES_ICD.csv.gz'));
  const file = join(folder, 'run.yaml');
  const { exit, out, err } = await understudyHere(['init', source, '--out', file], [initCommand]);
  t.is(exit, 0, err);
  t.regex(out, /PATIENTS +PATIENTS\.csv\.gz +100 rows/);
  t.true(out.includes(`next  npx understudy plan --config ${file}`));
  const config = await loadConfig(file);
  t.is(config.source, source);
  t.deepEqual(config.tokens.modalities, ['dx', 'rx'], 'no procedures: the table is empty');
  t.deepEqual(
    config.generators.map(({ name }) => name),
    ['marginal', 'halo'],
  );
  await writeFile(file, 'mine');
  t.is((await understudyHere(['init', source, '--out', file], [initCommand])).exit, 64);
  t.is(await readFile(file, 'utf8'), 'mine');
  const nowhere = await understudyHere(
    ['init', join(folder, 'none'), '--out', file, '--force'],
    [initCommand],
  );
  t.is(nowhere.exit, 66);
  t.is(await readFile(file, 'utf8'), 'mine', 'a source that is missing costs no file');
});

test('plan shows the tables of the source, this machine, and how long the nodes took when they last ran', async (t) => {
  const folder = await tempFolder(t);
  const file = join(folder, 'run.yaml');
  const few = '{metrics: [], replicates: 0}';
  await writeFile(
    file,
    `source: ${demoFolder}\ntokens: {modalities: [dx]}\ngenerators: [marginal]\nsimilarity: ${few}\nutility: ${few}\nprivacy: ${few}\n`,
  );
  const before = process.env['UNDERSTUDY_STORE'];
  process.env['UNDERSTUDY_STORE'] = join(folder, 'store');
  t.teardown(() => {
    if (before === undefined) delete process.env['UNDERSTUDY_STORE'];
    else process.env['UNDERSTUDY_STORE'] = before;
  });
  const commands = [planCommand, runCommand, openCommand];
  const first = await understudyHere(['plan', '--config', file], commands);
  t.regex(first.out, /ADMISSIONS +ADMISSIONS\.csv\.gz +129 rows +7 KiB/);
  t.regex(first.out, /time +not known/);

  // A run leaves its report where it is asked to, prints where all else is, and what to do next.
  const out = join(folder, 'results');
  const run = await understudyHere(['run', '--local', '--config', file, '--out', out, '--json'], commands);
  t.is(run.exit, 0, run.err);
  const told = JSON.parse(run.out);
  t.is(told.report, join(out, 'report.html'));
  t.deepEqual(Object.keys(told.cohorts), ['marginal']);
  t.true((await readdir(told.cohorts.marginal)).includes('tokens.arrow'));
  t.deepEqual((await readdir(out)).sort(), ['report.html', 'report.json']);
  const [, digits = ''] = /understudy open ([0-9a-f]{12})$/.exec(told.next[0]) ?? [];
  const opened = await understudyHere(['open', digits, '--print'], commands);
  t.is(await readFile(opened.out.trim(), 'utf8'), await readFile(told.report, 'utf8'));
  t.is((await understudyHere(['open', 'abcdef123456', '--print'], commands)).exit, 66);

  const second = JSON.parse((await understudyHere(['plan', '--config', file, '--json'], commands)).out);
  t.deepEqual(
    Object.keys(second.lastSeconds).sort(),
    second.nodes.map(({ id }: { id: string }) => id).sort(),
  );
  t.true(second.machine.storeFree > 0);

  await writeFile(file, 'source: ~/no such tables\n');
  const missing = await understudyHere(['plan', '--config', file, '--json'], commands);
  t.is(missing.exit, 0, 'workers may see what this machine does not');
  t.is(JSON.parse(missing.out).source, join(homedir(), 'no such tables'));
  t.is(JSON.parse(missing.out).problem.code, 'SourceMissing');
  t.is((await understudyHere(['run', '--config', file, '--out', out], commands)).exit, 64);
});

test('rows of a large table are estimated from its beginning, those of a small one counted', async (t) => {
  const folder = await tempFolder(t);
  await cp(demoFolder, folder, { recursive: true });
  await rm(join(folder, 'LABEVENTS.csv.gz'));
  const head = 'ROW_ID,SUBJECT_ID,HADM_ID,ITEMID,CHARTTIME,VALUE,VALUENUM,VALUEUOM,FLAG\n';
  const line = '1,10006,142345,50868,2164-09-24 20:21:00,19,19,mEq/L,\n';
  const rows = Math.ceil((20 * 2 ** 20) / line.length);
  await writeFile(join(folder, 'LABEVENTS.csv'), head + line.repeat(rows));
  const tables = await surveyTables(folder);
  const labs = tables.find(({ table }) => table === 'LABEVENTS');
  t.true(labs?.estimated);
  t.true(Math.abs((labs?.rows ?? 0) / rows - 1) < 0.001);
  t.is(tables.find(({ table }) => table === 'PATIENTS')?.rows, 100);
});
