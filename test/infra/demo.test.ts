import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { compareBigrams, leaderboard } from '../../infra/demo/leaderboard.ts';
import type { MetricRow, Scorecard } from '../../schemas/scorecard.ts';
import { startScript } from '../helpers/cli-process.ts';

const row = (metric: string, generator: string, value: number | null): MetricRow => ({
  ...{ metric, generator, value, row: 'visit-r2', family: 'similarity', title: metric, n: 10 },
  ...{ better: 'higher', holdout: 0.1 },
});
const card = (generator: string, pairs: number | null, sequences: number | null): Scorecard => {
  const size = { patients: 1, visits: 1 };
  const metric = (name: string, heading: string) => ({
    ...{
      metric: name,
      family: 'similarity' as const,
      title: name,
      about: '',
      headline: { 'visit-r2': heading },
    },
  });
  return {
    generator,
    cohorts: { real: size, synthetic: size, holdout: size },
    metrics: [
      metric('code-pairs', 'Same-visit co-occurrence R²'),
      metric('sequential-pairs', 'Consecutive-visit co-occurrence R²'),
    ],
    rows: [row('code-pairs', generator, pairs), row('sequential-pairs', generator, sequences)],
  };
};

test('the leaderboard has a row per headline number, a column per generator, and the real holdout', (t) => {
  t.is(
    leaderboard([card('marginal', 0.25, -1.5), card('halo', 0.51239, null)]),
    `                                      marginal  halo   real holdout
  ──────────────────────────────────  ────────  ─────  ────────────
  Same-visit co-occurrence R²         0.25      0.512  0.1
  Consecutive-visit co-occurrence R²  -1.5      –      0.1`,
  );
});

test('ahead is strictly better on both co-occurrence scores; a missing score is not', (t) => {
  const marginal: Scorecard = { ...card('independent', 0.25, 0.1), baseline: true };
  const compare = (...cards: Scorecard[]) => compareBigrams(cards, 'halo');
  const ahead = (...cards: Scorecard[]) => compare(...cards).map((score) => score.ahead);
  t.deepEqual(ahead(marginal, card('halo', 0.5, 0.2)), [true, true]);
  t.deepEqual(ahead(marginal, card('halo', 0.25, 0.2)), [false, true]);
  t.is(
    compare(marginal, card('halo', 0.25, 0.2))[0]?.text,
    'R² of same-visit co-occurrence per visit: halo 0.25, independent 0.25',
  );
  t.deepEqual(ahead(marginal, card('halo', null, 0)), [false, false]);
  t.deepEqual(ahead(marginal), [false, false]);
  t.deepEqual(ahead(), [false, false]);
});

const source = fileURLToPath(new URL('../fixtures/mimic3-demo', import.meta.url));
let folder = '';
let config = '';
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'understudy-demo-'));
  config = join(folder, 'demo.yaml');
  await writeFile(
    config,
    `name: demo\nsource: ${source}\ntokens: {modalities: [dx]}\ngenerators: [marginal]\n`,
  );
});
test.after.always(() => rm(folder, { recursive: true, force: true }));

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
const uiPort = (out: string) => Number(/UI +http:\/\/127\.0\.0\.1:(\d+)/.exec(out)?.[1]);
const demo = () => startScript('demo.ts', ['--folder', folder, '--config', config]);

test('a demo that is interrupted ends with 130; the next one takes over, and fails where HALO is not ahead', async (t) => {
  const { child, says, ended } = demo();
  await says(/(running|done) +extract/);
  child.kill('SIGINT');
  const interrupted = await ended;
  t.is(interrupted.exit, 130);
  t.true(uiPort(interrupted.out) > 0);
  t.false(await answers(uiPort(interrupted.out)), 'it leaves nothing running');

  const { exit, out, err } = await demo().ended;
  t.regex(out, /demo-\S+ was interrupted/);
  t.regex(out, /demo-\S+: completed/);
  t.regex(out, /real holdout/);
  t.is(exit, 70);
  t.regex(
    err,
    /HALO is not ahead of the baseline on R² of same-visit co-occurrence per visit: halo –, marginal/,
  );
  t.regex(await readFile(join(folder, 'report.html'), 'utf8'), /^<!doctype html>/i);
  t.false(await answers(uiPort(out)));
});
