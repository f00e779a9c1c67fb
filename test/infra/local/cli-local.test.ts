import { cp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { runCommand } from '../../../infra/cli/run.ts';
import type { RunSnapshot } from '../../../infra/cli/run-view.ts';
import { createFileStore } from '../../../infra/store/fs.ts';
import { failures } from '../../../schemas/errors.ts';
import { understudyHere } from '../../helpers/cli-here.ts';
import { startScript, understudy } from '../../helpers/cli-process.ts';
import { demoFolder } from '../../helpers/mimic-folder.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';

type Shown = RunSnapshot & { report: string; error?: { code: string; hint: string; message: string } };

/** The demo's tables, a HALO of 60 steps, and the fewest metrics; a store of its own. */
const setUp = async (t: ExecutionContext, lines = '') => {
  const folder = await tempFolder(t);
  const file = join(folder, 'run.yaml');
  const none = '{metrics: [], replicates: 0}';
  const halo = '{layers: 1, heads: 2, embedding: 16, batch: 16, epochs: 12, calibration: 0}';
  const text = `name: Tiny run
source: ${demoFolder}
tokens: {modalities: [dx]}
generators: [{name: halo, config: ${halo}}]
checkpointEvery: 0
similarity: {metrics: [code-prevalence], replicates: 0}
utility: ${none}
privacy: ${none}
`;
  await writeFile(file, lines || text);
  const store = join(folder, 'store');
  return { store, args: ['run', '--config', file, '--local'], env: { UNDERSTUDY_STORE: store } };
};
const recordedOf = async (folder: string, { nodes }: Shown, id: string) => {
  const ref = nodes.find((node) => node.id === id)?.result?.ref;
  if (!ref) throw new Error(`no output of ${id}`);
  return (await createFileStore(folder).open(ref)).manifest.recorded;
};

/** Waits until a training has saved its first step. */
const untilSaved = async (store: string): Promise<void> => {
  while ((await readdir(join(store, 'checkpoints')).catch(() => [])).length === 0) await sleep(20);
};

test('a run that was stopped or killed continues when the command is run again, to the same bytes', async (t) => {
  const broken = await setUp(t);
  const first = startScript('cli.ts', [...broken.args, '--json'], broken.env);
  await untilSaved(broken.store);
  first.child.kill('SIGTERM');
  const stopped = await first.ended;
  t.is(stopped.exit, 130, stopped.err);
  const { state, error } = JSON.parse(stopped.out) as Shown;
  t.is(state, 'canceled');
  t.like(error, {
    code: 'Interrupted',
    hint: 'run the same command again: it continues from the checkpoints in the store',
  });
  t.regex(stopped.err, /stopped; run the same command again/);
  const killed = await setUp(t);
  await cp(broken.store, killed.store, { recursive: true });
  await rm(join(killed.store, 'checkpoints'), { recursive: true });

  const second = await understudy([...broken.args, '--json'], broken.env);
  t.is(second.exit, 0, second.err);
  const resumed = JSON.parse(second.out) as Shown;
  t.is(resumed.state, 'completed');
  t.true(((await recordedOf(broken.store, resumed, 'train:halo')).resumedFrom ?? 0) > 0);
  t.is(resumed.report.slice(0, broken.store.length), broken.store);

  const orphaned = startScript('cli.ts', [...killed.args, '--workers', '2'], killed.env);
  await untilSaved(killed.store);
  orphaned.child.kill('SIGKILL');
  // Its streams close only when the processes of its stages have ended too.
  await orphaned.ended;

  // A stage's own process, killed by itself at the second step of its first attempt.
  const env = { ...killed.env, UNDERSTUDY_FAULT: 'kill:train:2' };
  const third = await understudy([...killed.args, '--workers', '2'], env);
  t.is(third.exit, 0, third.err);
  t.regex(third.out, /done +train:halo/);
  t.regex(third.out, /^ {2}report +\S*report\.html$/m);
  t.regex(third.out, /^ {2}cohort halo +\S*token-cohort/m);
  t.regex(third.out, /^verdict {2}Do not release: .*\.$/m);
  // The digests of the other run, in this one's store.
  for (const { id } of resumed.nodes) await recordedOf(killed.store, resumed, id);
  const { attempt, resumedFrom } = await recordedOf(killed.store, resumed, 'train:halo');
  t.is(attempt, 2);
  t.true((resumedFrom ?? 0) > 2);
});

test('a local run fails by the same codes as one on a server', async (t) => {
  const missing = await setUp(t, 'source: nowhere\ngenerators: [marginal]\n');
  const { exit, out, err } = await understudy(missing.args, { ...missing.env, UNDERSTUDY_TF: 'js' });
  t.is(exit, 66, err);
  t.regex(out, /failed +extract +SourceMissing: .*nowhere/);
  t.true(err.includes(`SourceMissing: ${failures.SourceMissing.hint}`), err);

  const wrong = await setUp(t, 'source: nowhere\ngenerators: [hallo]\n');
  const refused = await understudyHere(wrong.args, [runCommand]);
  t.is(refused.exit, 64);
  t.regex(refused.err, /generators\[0\].*hallo.*halo/s);

  const stray = await understudyHere(['run', '--workers', '2'], [runCommand]);
  t.is(stray.exit, 64);
  t.regex(stray.err, /--workers is for runs with --local/);
});

for (const more of [[], ['--workers', '2']])
  test(`without the backend that is asked for it does not begin ${more.join(' ')}`, async (t) => {
    const { args, env } = await setUp(t);
    const hidden = { ...env, UNDERSTUDY_TF: 'gpu', CUDA_VISIBLE_DEVICES: '-1' };
    const { exit, out, err } = await understudy([...args, ...more, '--json'], hidden);
    t.is(exit, 69, err);
    t.regex((JSON.parse(out) as Shown).error?.message ?? '', /^UNDERSTUDY_TF=gpu asks for/);
  });
