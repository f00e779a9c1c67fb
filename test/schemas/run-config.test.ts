import test from 'ava';
import { z } from 'zod';
import { runConfig } from '../../schemas/run-config.ts';
import { generate } from '../../schemas/stages/generate.ts';

test('a source is all that must be said', (t) => {
  const config = runConfig.parse({ source: '/data/mimic' });
  t.like(config, {
    name: 'nightly',
    source: '/data/mimic',
    layout: 'mimic-iii',
    seed: 0,
    checkpointEvery: 60,
    similarity: { options: {}, replicates: 200 },
    utility: { options: {}, replicates: 200 },
    privacy: { options: {}, replicates: 200 },
    report: { suppressBelow: 11 },
  });
  t.deepEqual(
    config.generators.map(({ name }) => name),
    ['marginal', 'halo'],
  );
  t.like(config.cohort, { split: { validation: 0.08, holdout: 0.2 }, minVisits: 1, minAge: 0 });
  t.deepEqual(config.tokens, {
    modalities: ['dx', 'px', 'rx'],
    minCount: 1,
    unknown: 'drop',
    order: 'frequency',
    labs: 'presence',
    gaps: false,
    buckets: { count: 10, leastPatients: 11, trim: 0.01 },
  });
  t.is(config.generate.patients, undefined);
  t.like(config.generate, { seedMode: 'cold', labels: {}, demographics: {} });
});

test('a generator is a name, or a name with settings', (t) => {
  const { generators } = runConfig.parse({
    source: 'x',
    generators: ['halo', { name: 'halo', config: { a: 1 } }, { name: 'halo', sampling: { b: 2 } }],
  });
  t.deepEqual(generators, [
    { name: 'halo', config: {}, sampling: {} },
    { name: 'halo', config: { a: 1 }, sampling: {} },
    { name: 'halo', config: {}, sampling: { b: 2 } },
  ]);
});

test('drawing is the old name of sampling; with both, the config is refused', (t) => {
  const read = (settings: object) =>
    runConfig.safeParse({ source: 'x', generators: [{ name: 'halo', ...settings }] });
  t.deepEqual(read({ drawing: { b: 2 } }).data?.generators, [
    { name: 'halo', config: {}, sampling: { b: 2 } },
  ]);
  const [issue] = read({ drawing: { b: 2 }, sampling: { b: 3 } }).error?.issues ?? [];
  t.deepEqual(issue?.path, ['generators', 0, 'drawing']);
  t.regex(issue?.message ?? '', /old name of sampling/);
  const params = generate.params.parse({ drawing: { b: 2 } });
  t.deepEqual(params.sampling, { b: 2 }, 'a plan of an earlier version');
  t.false('drawing' in params);
});

test('a config that was parsed parses to itself', (t) => {
  const once = runConfig.parse({ source: 'x', generators: ['marginal'], cohort: { minVisits: 2 } });
  t.deepEqual(runConfig.parse(JSON.parse(JSON.stringify(once))), once);
});

test('keys that are not known are refused at every depth', (t) => {
  for (const extra of [
    { sede: 1 },
    { cohort: { minAges: 3 } },
    { cohort: { split: { test: 0.2 } } },
    { tokens: { seed: 4 } },
    { generate: { count: 7 } },
    { generate: { sampling: {} } },
    { generate: { drawing: {} } },
    { generate: { seedMode: 'hot' } },
    { generate: { labels: { asthma: 2 } } },
    { generators: [{ name: 'halo', epochs: 3 }] },
  ])
    t.false(runConfig.safeParse({ source: 'x', ...extra }).success, JSON.stringify(extra));
});

test('the name of a branch has letters, digits, ".", "_" and "-" only', (t) => {
  const parse = (as: string) => runConfig.safeParse({ source: 'x', generators: [{ name: 'halo', as }] });
  for (const name of ['halo-small', 'H4.5_b', 'a'.repeat(40)]) t.true(parse(name).success, name);
  for (const name of ['', 'halo small', 'halo@25%', 'train:halo', '-halo', 'a/b', 'hälo', 'a'.repeat(41)]) {
    const { error } = parse(name);
    t.regex(z.prettifyError(error as z.ZodError), /at most 40 letters .*digits, "\.", "_" and "-"/, name);
  }
});
