import test from 'ava';
import { drain } from '../../../pipelines/kernel/steps.ts';
import type { MetricInput, MetricResult } from '../../../pipelines/metrics/metric.ts';
import labValues from '../../../pipelines/metrics/similarity/lab-values.ts';
import returnTimes from '../../../pipelines/metrics/similarity/return-times.ts';
import visitGaps from '../../../pipelines/metrics/similarity/visit-gaps.ts';
import {
  numberColumn,
  numberDistance,
  numberMoments,
  valuePearson,
  valueR2,
} from '../../../pipelines/metrics/statistics/distributions.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../../../pipelines/patients/visit-columns.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { noPatients } from '../../helpers/patients.ts';
import { vocabularyOf } from './golden-cohorts.ts';

/** A diagnosis, two tests in two ranges each, a test that is only done, and gaps in two ranges. */
const vocabulary: Vocabulary = {
  codes: [
    { modality: 'dx', code: '4019' },
    { modality: 'lab', code: 'A', title: 'Sodium', bucket: { low: 0, high: 10, unit: 'mEq/L' } },
    { modality: 'lab', code: 'A', title: 'Sodium', bucket: { low: 10, high: 20, unit: 'mEq/L' } },
    { modality: 'lab', code: 'B', bucket: { low: 0, high: 1 } },
    { modality: 'lab', code: 'B' },
    { modality: 'lab', code: 'C' },
    { modality: 'gap', code: 'gap', bucket: { low: 0, high: 30 } },
    { modality: 'gap', code: 'gap', bucket: { low: 30, high: 900 } },
  ],
  labels: [],
};

type Visit = Record<number, number | null>;

/** Visits as token → number, null for a token without one. */
const cohort = (patients: Visit[][]): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  for (const visits of patients)
    builder.addPatient(
      visits.map((visit) => Object.keys(visit).map(Number)),
      [],
    );
  const numbers = patients.flatMap((visits) => visits.flatMap((visit) => Object.values(visit)));
  return { ...builder.build(), values: Float32Array.from(numbers, (value) => value ?? Number.NaN) };
};

const input = (real: Visit[][], synthetic: Visit[][], leastPatients = 1) => ({
  vocabulary,
  train: cohort(real),
  validation: noPatients,
  holdout: noPatients,
  synthetic: cohort(synthetic),
  rows: [],
  options: { leastPatients },
  seed: 0,
  replicates: 0,
});

const valuesOf = ({ rows }: MetricResult): Record<string, number | null> =>
  Object.fromEntries(rows.map(({ row, value }) => [row, value]));
const labs = (given: MetricInput<{ leastPatients: number }>) => drain(labValues.compute(given));
const gaps = (given: MetricInput<{ leastPatients: number }>) => drain(visitGaps.compute(given));

const real: Visit[][] = [
  [{ 0: null, 1: 2, 5: null }, { 1: 4 }],
  [{ 2: 12, 3: 0.5 }, { 0: null }],
];

test('a test is done where any of its tokens is, once per visit', (t) => {
  // Two ranges of A in one visit and a B without a number: one A, one B.
  const { series } = labs(input(real, [[{ 1: 1, 2: 11 }, { 4: null }]]));
  t.deepEqual(series?.['presence'], {
    test: ['Sodium, mEq/L', 'B', 'C'],
    real: [3 / 4, 1 / 4, 1 / 4],
    synthetic: [1 / 2, 1 / 2, 0],
    patients: [2, 1, 1],
  });
});

test('lab values: means, shift, distance and agreement in closed form', (t) => {
  const synthetic: Visit[][] = [
    [
      { 1: 4, 5: null },
      { 1: 4, 3: 0.75 },
    ],
  ];
  const { rows, series } = labs(input(real, synthetic));
  const found = valuesOf({ rows });
  // Sodium 2, 4, 12 against 4, 4; B 0.5 against 0.75, whose real values do not vary.
  const sd = Math.sqrt((16 + 4 + 36) / 3);
  t.true(Math.abs((found['shift'] as number) - 2 / sd) < 1e-12);
  t.true(Math.abs((found['ks'] as number) - (1 / 3 + 1) / 2) < 1e-12);
  t.is(found['ks-worst'], 1);
  t.is(found['absent'], 0);
  const spread = (6 - 3.25) ** 2 * 2;
  t.true(Math.abs((found['mean-r2'] as number) - (1 - (4 + 0.0625) / spread)) < 1e-9);
  t.is(found['mean-pearson'], 1);
  t.like(series?.['means'], {
    test: ['Sodium, mEq/L', 'B'],
    real: [6, 0.5],
    synthetic: [4, 0.75],
    patients: [2, 1],
  });
});

test('a test with too few real patients is left out; one that never has a value is told', (t) => {
  const few = valuesOf(labs(input(real, real, 2)));
  t.is(few['shift'], 0);
  t.is(labs(input(real, real, 2)).rows.find(({ row }) => row === 'ks')?.n, 1);
  const { rows } = labs(input(real, [[{ 0: null, 4: null }]]));
  t.is(valuesOf({ rows })['absent'], 1);
  t.is(rows.find(({ row }) => row === 'shift')?.note, 'No lab test has values on both sides.');
});

test('without ranges a sentence says so; without tests too', (t) => {
  const { codes } = vocabulary;
  const presence = labs({
    ...input(real, real),
    vocabulary: { codes: codes.map(({ bucket: _, ...code }) => code), labels: [] },
  });
  t.is(valuesOf(presence)['presence-r2'], 1);
  t.regex(presence.rows.find(({ row }) => row === 'shift')?.note ?? '', /no ranges of lab values/);
  const none = labs({ ...input([], []), vocabulary: vocabularyOf(9, 0) });
  t.true(none.rows.every(({ value, note }) => value === null && note === 'The vocabulary has no lab tests.'));
  const gapless = gaps({ ...input([], []), vocabulary: vocabularyOf(9, 0) });
  t.true(gapless.rows.every(({ value, note }) => value === null && /has no gaps/.test(note ?? '')));
});

/** Patients whose visits come after the given days. */
const returning = (...patients: number[][]): Visit[][] =>
  patients.map((days) => [{ 0: null }, ...days.map((gap) => ({ 0: null, [gap < 30 ? 6 : 7]: gap }))]);

test('gaps: mean, distance, and mean by record length in closed form', (t) => {
  const theirs = returning([10], [20], [300], [30, 60], [5, 5, 5]);
  const ours = [...returning([10], [20], [300], [40, 80]), [{ 0: null }, { 0: null }]];
  const { rows, series } = gaps(input(theirs, ours, 2));
  const found = valuesOf({ rows });
  t.is(rows[0]?.real, (10 + 20 + 300 + 30 + 60 + 15) / 8);
  t.is(found['mean'], 90);
  t.is(found['untold'], 1 / 6);
  // Two visits: the same. Three and more: (30 + 60 + 15) / 5 = 21 against 60, for two of five patients.
  t.deepEqual(series?.['gap-by-length'], {
    length: ['2', '3+'],
    real: [110, 21],
    synthetic: [110, 60],
    patients: [3, 2],
  });
  t.true(Math.abs((found['by-length'] as number) - (2 / 5) * 39) < 1e-9);
  t.deepEqual(series?.['gaps'], {
    from: [0, 1, 7, 30, 90, 180, 365, 730],
    real: [0, 3, 2, 2, 0, 1, 0, 0],
    synthetic: [0, 0, 2, 2, 0, 1, 0, 0],
    patients: [0, 1, 2, 1, 0, 1, 0, 0],
  });
});

test('returns in closed form: a record that ends is no return', (t) => {
  // Real: 5 visits, returns after 10 and 300 days. Synthetic: 4 visits, returns after 20 and 20 days.
  const theirs = returning([10], [300], []);
  const ours = returning([20], [20]);
  const given = { ...input(theirs, ours), options: { horizon: 365 } };
  const { rows } = drain(returnTimes.compute(given));
  const found = valuesOf({ rows });
  t.is(found['within-30-days'], 1 / 2);
  t.is(rows.find(({ row }) => row === 'within-30-days')?.real, 1 / 5);
  t.true(Math.abs((found['distance'] as number) - (1 / 2 - 1 / 5)) < 1e-12);
  const [a, b] = [(10 + 300 + 3 * 365) / 5, (2 * 20 + 2 * 365) / 4];
  t.true(Math.abs((found['restricted-mean-difference'] as number) - Math.abs(a - b)) < 1e-9);
  const same = valuesOf(drain(returnTimes.compute({ ...given, synthetic: given.train })));
  t.like(same, { distance: 0, 'restricted-mean-difference': 0 });
});

test('a cohort against itself: no distance, no shift, R² of one', (t) => {
  const own = valuesOf(labs(input(real, real)));
  t.like(own, { 'presence-r2': 1, 'mean-r2': 1, shift: 0, ks: 0, 'ks-worst': 0, 'reference-mean-r2': 1 });
  const theirs = returning([10], [20, 9], [300]);
  t.like(valuesOf(gaps(input(theirs, theirs))), { ks: 0, wasserstein: 0, 'by-length': 0, untold: 0 });
});

test('distance and moments of weighted numbers are those of numbers written out', (t) => {
  const a = numberColumn([3, 1, 2, 2], [0, 1, 1, 2]);
  const b = numberColumn([2, 5], [0, 1]);
  const written = numberColumn([3, 3, 1, 2], [0, 0, 0, 0]);
  const weighted = [Int32Array.of(2, 1, 0), Int32Array.of(1, 1)] as const;
  const plain = [Int32Array.of(1), Int32Array.of(1, 1)] as const;
  t.deepEqual(numberDistance([a, b], weighted), numberDistance([written, b], plain));
  // Shares up to 1, 2, 3, 5: 1/4, 1/2, 1, 1 against 0, 1/2, 1/2, 1.
  t.deepEqual(numberDistance([written, b], plain), { ks: 0.5, wasserstein: 0.25 + 0.5 * 2 });
  t.deepEqual(numberMoments(a, weighted[0]), numberMoments(written, plain[0]));
  t.is(numberDistance([a, numberColumn([], [])], weighted), null);
  t.is(numberMoments(a, Int32Array.of(0, 0, 0)), null);
});

test('R² and correlation of values', (t) => {
  t.is(valueR2([1, 2, 3], [1, 2, 3]), 1);
  t.is(valueR2([1, 2, 3], [2, 2, 2]), 0);
  t.is(valueR2([1, 1], [1, 2]), null);
  t.is(valuePearson([1, 2, 3], [-2, -4, -6]), -1);
  t.is(valuePearson([1, 2], [3, 3]), null);
});
