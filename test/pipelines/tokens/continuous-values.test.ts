import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import { finishCohort } from '../../../pipelines/generation/finish-cohort.ts';
import { generatorConfig } from '../../../pipelines/generation/generator.ts';
import { splitColumns } from '../../../pipelines/generation/training-data.ts';
import halo from '../../../pipelines/generators/halo.ts';
import marginal from '../../../pipelines/generators/marginal.ts';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import { scoreCohort } from '../../../pipelines/metrics/score-cohort.ts';
import labValues from '../../../pipelines/metrics/similarity/lab-values.ts';
import visitGaps from '../../../pipelines/metrics/similarity/visit-gaps.ts';
import { patientCount, type VisitColumns } from '../../../pipelines/patients/visit-columns.ts';
import type { TokenRules } from '../../../pipelines/tokens/candidate-columns.ts';
import { tokenizeCohort } from '../../../pipelines/tokens/tokenize-cohort.ts';
import { assembleRows } from '../cohort/event-tables.ts';

test.before(async () => {
  await startBackend();
});

const rules: TokenRules = {
  modalities: ['dx', 'lab'],
  minCount: 3,
  unknown: 'drop',
  order: 'frequency',
  labs: 'buckets',
  gaps: true,
  // Few patients of the demo come twice, so gaps need a smaller group than users should take.
  buckets: { count: 10, leastPatients: 5, trim: 0.01 },
  seed: 0,
};

const demo = assembleRows('demo', { split: { validation: 0.08, holdout: 0.2 } }).then(({ cohort }) => {
  const { tokens } = tokenizeCohort(cohort, rules);
  const { vocabulary } = tokens;
  const [train, validation, holdout] = (['train', 'validation', 'holdout'] as const).map((part) =>
    splitColumns(tokens, part),
  ) as [VisitColumns, VisitColumns, VisitColumns];
  return { vocabulary, train, validation, holdout };
});

const scored = async (synthetic: VisitColumns) => {
  const parties = await demo;
  const { card, series } = await drainAsync(
    scoreCohort({
      ...parties,
      generator: 'somebody',
      synthetic,
      metrics: [labValues, visitGaps],
      options: { 'lab-values': { leastPatients: 5 }, 'visit-gaps': { leastPatients: 2 } },
      seed: 0,
      replicates: 0,
      suppressBelow: 0,
    }),
  );
  return {
    series,
    rows: card.rows,
    found: (metric: string, row: string) =>
      card.rows.find((r) => r.metric === metric && r.row === row)?.value as number,
  };
};

test('there and back: real patients with new numbers keep each test and gap inside its range', async (t) => {
  const { vocabulary, train } = await demo;
  t.true(vocabulary.codes.some(({ modality }) => modality === 'gap'));
  const { columns, changed } = finishCohort(train, vocabulary, { seed: 4, rules: 'off' });
  t.deepEqual(changed['second-range-of-a-test'], { codes: 0 });
  t.deepEqual(columns.codes, train.codes);
  const { codes } = vocabulary;
  const drawn = columns.values as Float32Array;
  t.true(
    columns.codes.every((token, i) => {
      const bucket = codes[token]?.bucket;
      if (!bucket) return Number.isNaN(drawn[i]);
      return (
        (drawn[i] as number) >= Math.fround(bucket.low) && (drawn[i] as number) < Math.fround(bucket.high)
      );
    }),
  );
  // Mean per range, real against drawn: apart by less than the range is wide.
  const sums = codes.map(() => ({ n: 0, real: 0, drawn: 0 }));
  columns.codes.forEach((token, i) => {
    const sum = sums[token] as (typeof sums)[number];
    sum.n++;
    sum.real += train.values?.[i] as number;
    sum.drawn += drawn[i] as number;
  });
  // The outer ranges leave outliers out; those in between hold their numbers.
  const isInner = (token: number) => {
    const own = codes
      .filter(({ code, bucket }) => bucket && code === codes[token]?.code)
      .map(({ bucket }) => bucket?.low as number);
    const low = codes[token]?.bucket?.low as number;
    return low > Math.min(...own) && low < Math.max(...own);
  };
  const inner = [...sums.keys()].filter((token) => codes[token]?.bucket && isInner(token));
  t.true(inner.length > 300, String(inner.length));
  for (const token of inner) {
    const { n, real, drawn: made } = sums[token] as (typeof sums)[number];
    const { low = 0, high = 0 } = codes[token]?.bucket ?? {};
    t.true(n >= 5 && Math.abs(real - made) / n <= high - low, `${codes[token]?.code} ${low}`);
  }
});

test('there and back: means per test and gaps by record length are those of the real cohort', async (t) => {
  const { vocabulary, train } = await demo;
  const { columns } = finishCohort(train, vocabulary, { seed: 4, rules: 'off' });
  const { found, series } = await scored(columns);
  t.is(found('lab-values', 'presence-r2'), 1);
  t.true(found('lab-values', 'shift') < 0.1, `shift ${found('lab-values', 'shift')}`);
  t.true(found('lab-values', 'mean-r2') > 0.99, `mean R² ${found('lab-values', 'mean-r2')}`);
  t.is(found('lab-values', 'absent'), 0);
  t.is(found('visit-gaps', 'untold'), 0);
  const { real = [], synthetic = [] } = series['visit-gaps']?.['gap-by-length'] ?? {};
  t.true(real.length > 1);
  const mean = found('visit-gaps', 'mean');
  t.true(found('visit-gaps', 'by-length') < 0.25 * mean, `${real} against ${synthetic}`);
});

test('marginal and HALO learn ranges, and what they draw has numbers that can be scored', async (t) => {
  const { vocabulary, train, validation } = await demo;
  const tiny = { layers: 1, heads: 2, embedding: 16, batch: 16, epochs: 1 };
  for (const [generator, config] of [
    [marginal, {}],
    [halo, tiny],
  ] as const) {
    const settings = generatorConfig(generator, config) as never;
    const fitting = await generator.fit({ vocabulary, train, validation }, settings, 1);
    while (!fitting.finished) await fitting.step();
    const sampler = await generator.open(await fitting.model(), settings, vocabulary);
    const count = patientCount(train);
    const whole = await sampler.sample({ first: 0, count, seed: 2 });
    const { columns, changed } = finishCohort(whole, vocabulary, { seed: 2, rules: 'remove' });
    t.true(
      columns.values?.some((value) => !Number.isNaN(value)),
      generator.name,
    );
    // Marginals know nothing of ranges; HALO's sampler leaves out the other ranges of a test that it drew.
    const second = changed['second-range-of-a-test']?.['codes'] ?? 0;
    t.is(second > 0, generator.name === 'marginal', `${generator.name}: ${second}`);
    const { rows } = await scored(columns);
    t.true(rows.filter(({ value }) => value !== null).length > 10, generator.name);
    t.deepEqual(finishCohort(whole, vocabulary, { seed: 2, rules: 'remove' }).columns, columns);
    fitting.dispose();
    sampler.dispose();
  }
});
