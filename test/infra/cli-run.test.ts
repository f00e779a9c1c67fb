import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { RunSnapshot } from '../../infra/cli/run-view.ts';
import { type Stack, startStack } from '../../infra/stack.ts';
import { startScript, understudy } from '../helpers/cli-process.ts';

const source = fileURLToPath(new URL('../fixtures/mimic3-demo', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'understudy-cli-'));
const file = join(folder, 'run.yaml');
let stack: Stack;
let env: NodeJS.ProcessEnv;

/** Runs a command, or fails with what became of the workers. */
const command = (...args: string[]) => Promise.race([understudy(args, env), stack.broken]);
/** One or two metrics of each family: the others have their own tests, and only take time here. */
const fewMetrics = `similarity: {metrics: [code-prevalence, language-model], replicates: 10}
utility: {metrics: [rare-conditions], replicates: 10}
privacy: {metrics: [copies, membership-nearest], replicates: 10}
`;
const config = (lines: string) =>
  writeFile(file, `name: Tiny run\nsource: ${source}\ntokens: {modalities: [dx]}\n${fewMetrics}${lines}`);

test.before(async () => {
  stack = await startStack({ folder, store: join(folder, 'store'), say: () => undefined });
  env = { UNDERSTUDY_TEMPORAL_ADDRESS: stack.server.address, UNDERSTUDY_STORE: join(folder, 'store') };
});
test.after.always(async () => {
  await stack?.stop();
  await rm(folder, { recursive: true, force: true });
});

test.serial('run --wait goes from tables to report, tells progress, and ends with 0', async (t) => {
  await config('generators: [marginal]\n');
  const { exit, out, err } = await command('run', '--config', file, '--wait', '--json');
  t.is(exit, 0, err);
  const told = JSON.parse(out);
  t.regex(told.run, /^tiny-run-\d{8}-\d{6}-[0-9a-f]{4}$/);
  t.is(told.state, 'completed');
  t.true(told.nodes.every(({ state }: { state: string }) => state === 'done'));
  t.is(told.nodes.at(-1).result.ref.kind, 'report');
  t.regex(err, /done +extract/);
  t.regex(err, new RegExp(`${told.run}: completed`));
  t.regex(told.verdict, /^Do not release: .*marginal/);

  // The same without the server, in a store of its own: the same bytes.
  const own = { UNDERSTUDY_STORE: join(folder, 'own') };
  const local = await understudy(['run', '--config', file, '--local', '--json'], own);
  t.is(local.exit, 0, local.err);
  const refs = ({ nodes }: RunSnapshot) => nodes.map(({ id, result }) => [id, result?.ref]);
  t.deepEqual(refs(JSON.parse(local.out)), refs(told));
  t.is(JSON.parse(local.out).verdict, told.verdict);
});

test.serial('the same again is answered from the cache, and says so', async (t) => {
  const started = await command('run', '--config', file);
  t.is(started.exit, 0);
  const run = started.out.trim();
  t.regex(started.err, new RegExp(`understudy watch ${run}`));
  const watched = await command('watch', run);
  t.is(watched.exit, 0, watched.err);
  t.regex(watched.out, /cached +report +same stage version/);
  t.regex(watched.out, /^verdict {2}Do not release: .*marginal.*\.$/m, 'a cached report has its verdict too');
  t.false(watched.out.includes('\x1b'));
  const { exit, out } = await command('status', run);
  t.is(exit, 0);
  t.regex(out, new RegExp(`^${run}: completed`));
  t.false(/^ {2}done/m.test(out));
  // Its results, found again by the id of the run.
  t.regex(out, /^ {2}cohort marginal +\S+token-cohort/m);
  const opened = await command('open', run, '--print');
  t.is(opened.exit, 0, opened.err);
  t.true(out.includes(opened.out.trim().slice(-40)));
  const { runs } = JSON.parse((await command('runs', '--json')).out);
  t.is(runs[0].run, run);
  t.is(runs[0].state, 'completed');
});

test.serial('a run that fails exits by the code of what failed, with its hint', async (t) => {
  const bad = join(folder, 'bad.yaml');
  await writeFile(bad, 'source: nowhere\n');
  const { exit, out, err } = await command('run', '--config', bad, '--wait');
  t.is(exit, 66);
  t.regex(out, /failed +extract +SourceMissing: .*nowhere/);
  t.regex(out, /→ set `source`/);
  t.regex(err, /SourceMissing: set `source`/);
  const run = /nightly-\S+(?=: failed)/.exec(out)?.[0] ?? '';
  const watched = await command('watch', run, '--json');
  t.is(watched.exit, 66);
  const told = JSON.parse(watched.out);
  t.is(told.state, 'failed');
  t.is(told.error.code, 'SourceMissing');
  t.true(told.nodes.some(({ state }: { state: string }) => state === 'skipped'));
  // To look at a failed run is no failure.
  t.is((await command('status', run)).exit, 0);
});

test.serial('a run nobody started exits 66', async (t) => {
  const { exit, out } = await command('status', 'nightly-never', '--json');
  t.is(exit, 66);
  t.is(JSON.parse(out).error.code, 'RunMissing');
});

test.serial('Ctrl-C ends the wait and not the run', async (t) => {
  await config('seed: 7\ngenerators: [marginal]\n');
  const { child, says, ended } = startScript('cli.ts', ['run', '--config', file, '--wait'], env);
  await says(/running +extract|cached +extract/);
  child.kill('SIGINT');
  const { exit, err } = await ended;
  t.is(exit, 130);
  const run = /understudy watch (\S+?)`/.exec(err)?.[1] ?? '';
  const { exit: watched, out } = await command('watch', run);
  t.is(watched, 0);
  t.regex(out, /completed/);
});
