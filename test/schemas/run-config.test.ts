import test from 'ava';
import { runConfig } from '../../schemas/run-config.ts';

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
    generators: ['halo', { name: 'halo', config: { a: 1 } }, { name: 'halo', drawing: { b: 2 } }],
  });
  t.deepEqual(generators, [
    { name: 'halo', config: {}, drawing: {} },
    { name: 'halo', config: { a: 1 }, drawing: {} },
    { name: 'halo', config: {}, drawing: { b: 2 } },
  ]);
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
    { generate: { drawing: {} } },
    { generate: { seedMode: 'hot' } },
    { generate: { labels: { asthma: 2 } } },
    { generators: [{ name: 'halo', epochs: 3 }] },
  ])
    t.false(runConfig.safeParse({ source: 'x', ...extra }).success, JSON.stringify(extra));
});
