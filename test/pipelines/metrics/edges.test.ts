import test from 'ava';
import type { z } from 'zod';
import { drain, type Steps } from '../../../pipelines/kernel/steps.ts';
import type { Metric, MetricInput, MetricResult, PartialRow } from '../../../pipelines/metrics/metric.ts';
import codePairs from '../../../pipelines/metrics/similarity/code-pairs.ts';
import codePrevalence from '../../../pipelines/metrics/similarity/code-prevalence.ts';
import codesPerVisit from '../../../pipelines/metrics/similarity/codes-per-visit.ts';
import labelPrevalence from '../../../pipelines/metrics/similarity/label-prevalence.ts';
import sequentialPairs from '../../../pipelines/metrics/similarity/sequential-pairs.ts';
import visitsPerRecord from '../../../pipelines/metrics/similarity/visits-per-record.ts';
import { cases, comparing, type Patient } from './golden-cohorts.ts';

const metrics: Metric<z.ZodType, MetricResult | Steps<MetricResult>>[] = [
  codePrevalence,
  codePairs,
  sequentialPairs,
  visitsPerRecord,
  codesPerVisit,
  labelPrevalence,
];

const resultOf = (metric: (typeof metrics)[number] | undefined, given: MetricInput): MetricResult => {
  const found = metric?.compute(given) ?? { rows: [] };
  return 'rows' in found ? found : drain(found);
};

const comparison = (real: Patient[], synthetic: Patient[], labels = 2): MetricInput =>
  comparing(real, synthetic, 120, labels);
const some: Patient[] = [
  {
    visits: [
      [0, 1, 2],
      [1, 3],
    ],
    labels: [1, 0],
  },
  { visits: [[0, 2]], labels: [0, 0] },
  { visits: [[4], [0, 1], [1, 2, 3]], labels: [1, 0] },
];
const rowsOf = (name: string, given: MetricInput): Map<string, PartialRow> =>
  new Map(
    resultOf(
      metrics.find((metric) => metric.name === name),
      given,
    ).rows.map((row) => [row.row, row]),
  );

const oddities: Record<string, MetricInput> = {
  'both cohorts are empty': comparison([], []),
  'the real cohort is empty': comparison([], some),
  'the synthetic cohort is empty': comparison(some, []),
  'one patient each, the same': comparison(some.slice(0, 1), some.slice(0, 1)),
  'one patient with one code': comparison([{ visits: [[7]], labels: [0, 0] }], some),
  'no labels': comparison(
    some.map(({ visits }) => ({ visits, labels: [] })),
    some.map(({ visits }) => ({ visits, labels: [] })),
    0,
  ),
  'synthetic patients without visits': comparison(some, [
    { visits: [], labels: [0, 0] },
    { visits: [], labels: [1, 1] },
  ]),
  'visits without codes': comparison(some, [{ visits: [[], []], labels: [0, 0] }]),
  'no code in common': comparison(some, [{ visits: [[50, 51], [52]], labels: [0, 1] }]),
  'nobody comes twice': comparison(some.slice(1, 2), some.slice(1, 2)),
};

for (const [name, given] of Object.entries(oddities))
  test(`${name}: every row is a finite number, or null with a sentence`, (t) => {
    for (const metric of metrics) {
      const { rows, series } = resultOf(metric, given);
      t.true(rows.length > 0);
      t.is(new Set(rows.map((row) => row.row)).size, rows.length, 'row names are unique');
      for (const { row, value, real, note } of rows) {
        const where = `${metric.name} ${row}`;
        if (value === null) t.regex(note ?? '', /^[A-Z].*\.$/, where);
        else t.true(Number.isFinite(value), `${where} is ${value}`);
        t.true(real === undefined || real === null || Number.isFinite(real), where);
      }
      for (const columns of Object.values(series ?? {})) {
        t.is(new Set(Object.values(columns).map((column) => column.length)).size, 1);
        t.notRegex(JSON.stringify(columns), /null/, 'JSON writes NaN as null');
      }
    }
  });

const mini = cases['mini_a40_vs_b40_full_tables'] ?? { real: [], synthetic: [] };

test('the order of patients does not matter', (t) => {
  const straight = comparison(mini.real, mini.synthetic, 5);
  const turned = comparison([...mini.real].reverse(), [...mini.synthetic].reverse(), 5);
  for (const metric of metrics) {
    const other = resultOf(metric, turned).rows;
    resultOf(metric, straight).rows.forEach((row, i) => {
      t.true(Math.abs((row.value ?? 0) - (other[i]?.value ?? 0)) < 1e-12, `${metric.name} ${row.row}`);
    });
  }
});

test('a cohort is perfectly like itself', (t) => {
  const self = comparison(mini.real, mini.real, 5);
  for (const metric of metrics)
    for (const row of resultOf(metric, self).rows) {
      const perfect = metric.better === 'higher' ? 1 : 0;
      if (row.better === 'closer-to-real') t.is(row.value, row.real ?? null);
      else t.true(Math.abs((row.value ?? Number.NaN) - perfect) < 1e-12, `${metric.name} ${row.row}`);
    }
});

test('shuffling codes between patients hurts pairs, not single codes', (t) => {
  const single = rowsOf('code-prevalence', comparison(mini.real, mini.real, 5)).get('visit-r2')?.value;
  const codes = mini.real.flatMap((patient) => patient.visits.flat());
  let next = 0;
  const dealt = mini.real.map((patient) => ({
    ...patient,
    visits: patient.visits.map((visit) =>
      visit.map(() => codes[(next++ * 37) % codes.length] as number).sort((x, y) => x - y),
    ),
  }));
  const shuffled = comparison(mini.real, dealt, 5);
  const pairs = rowsOf('code-pairs', shuffled).get('visit-r2')?.value ?? 1;
  const after = rowsOf('code-prevalence', shuffled).get('visit-r2')?.value ?? 0;
  t.is(single, 1);
  t.true(after > 0.95, `single codes stay: ${after}`);
  t.true(pairs < 0.8, `pairs do not: ${pairs}`);
});

test('patients without visits count by default, and are left out in the reference rows', (t) => {
  const half: Patient[] = [...some, ...some.map(() => ({ visits: [], labels: [0, 0] }))];
  const given = comparison(some, half);
  const codes = rowsOf('code-prevalence', given);
  t.is(codes.get('reference-record-r2')?.value, 1, 'the paper does not see that half the cohort is missing');
  t.true((codes.get('record-r2')?.value ?? 1) < 0);
  const visits = rowsOf('visits-per-record', given);
  t.is(visits.get('empty-share')?.value, 0.5);
  t.is(visits.get('mean')?.value, 1);
  t.is(visits.get('reference-mean')?.value, 2);
});

test('sequential pairs per visit are divided by adjacent visits, not by visits minus patients', (t) => {
  const real: Patient[] = [...some, { visits: [], labels: [0, 0] }];
  const sequences = rowsOf('sequential-pairs', comparison(real, some));
  t.is(sequences.get('visit-r2')?.value, 1, 'the same sequences, so the same frequencies');
  t.not(sequences.get('reference-visit-r2')?.value, 1, 'the reference divides by one too few');
});
