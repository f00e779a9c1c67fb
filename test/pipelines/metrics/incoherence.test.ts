import test from 'ava';
import { structuredCohort, structuredShape } from '../../../bench/structured-cohort.ts';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import { metricsOf } from '../../../pipelines/metrics/registry.ts';
import { metricOptions, scoreMetric } from '../../../pipelines/metrics/score-metric.ts';
import { findingsOf, learnPairRules, mostWithout } from '../../../pipelines/metrics/statistics/pair-rules.ts';
import {
  codesOfVisit,
  patientCount,
  type VisitColumns,
  visitRange,
} from '../../../pipelines/patients/visit-columns.ts';
import { noPatients, recordsOf } from '../../helpers/patients.ts';

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);
const near = (actual: number, expected: number) => Math.abs(actual - expected) < 1e-12;

/** 0 and 1 in 30 of 100 visits each, never in one; 2 and 3 in the same 60; 4 in every other. */
const hundred = recordsOf(
  upTo(100).map((i) => [
    [...(i < 30 ? [0] : i < 60 ? [1] : []), ...(i % 5 < 3 ? [2, 3] : []), ...(i % 2 === 0 ? [4] : [])],
  ]),
);
const vocabularyOf = (codes: number) => ({
  codes: upTo(codes).map((i) => ({ modality: 'dx' as const, code: `${i}` })),
  labels: [],
});

const scored = async (
  parties: Record<'train' | 'holdout' | 'synthetic', VisitColumns>,
  { codes = 5, suppressBelow = 0, replicates = 0, ...options }: Record<string, number> = {},
) => {
  const metric = metricsOf('similarity').get('incoherence');
  if (!metric) throw new Error('no metric');
  const input = {
    ...{ vocabulary: vocabularyOf(codes), ...parties, validation: noPatients, rows: [], seed: 0, replicates },
    options: metricOptions(metric, options),
  };
  const { rows, series } = await drainAsync(scoreMetric(metric, input, suppressBelow));
  return { series, row: (name: string) => rows.find(({ row }) => row === name) };
};

test('how many of n visits may lack a companion: the exact bound, by hand', (t) => {
  // 0.95^59 = 0.0485, 0.95^58 = 0.0510; with one exception 0.95^93 + 93·0.05·0.95^92 = 0.0500 and for 92 it is 0.0521.
  t.deepEqual(
    [58, 59, 92, 93].map((n) => mostWithout(n, 0.95)),
    [-1, 0, 0, 1],
  );
  // Large numbers do not underflow: the mean is 3,000, and 1.645 standard deviations below it 2,912.
  t.true(Math.abs(mostWithout(60_000, 0.95) - 2912) <= 2);
});

test('rules and shares, by hand', async (t) => {
  const rules = learnPairRules(hundred, 5, { expected: 5, share: 0.95, leastPatients: 11 });
  t.is(rules.never, 1, '30 × 30 ÷ 100 = 9 visits are expected with both, and none has');
  t.deepEqual([...rules.companions.codes], [3, 2]);
  t.deepEqual([...rules.companions.offsets], [0, 0, 0, 1, 2, 2]);
  const made = recordsOf([[[0, 1], [2]], [[0, 1, 2, 3]], [[0], [1]], [[]], []]);
  const found = findingsOf(rules, made);
  t.deepEqual([...found.never.hits], [1, 1, 0, 0, 0]);
  t.deepEqual([...found.missing.of], [1, 2, 0, 0, 0]);
  t.deepEqual(found.neverPairs, [{ first: 0, second: 1, visits: 2 }]);
  t.deepEqual(found.missingPairs, [{ first: 2, second: 3, visits: 1 }]);

  const holdout = recordsOf([[[0, 1]], [[0]], [[2, 3]], [[4]]]);
  const { row, series } = await scored({ train: hundred, holdout, synthetic: made });
  const value = (name: string) => row(name)?.value ?? Number.NaN;
  t.true(near(value('never-visits'), 2 / 6), 'two of six visits');
  t.true(near(value('never-records'), 2 / 4), 'two of the four patients who have a visit');
  t.true(near(row('never-visits')?.holdout ?? 0, 1 / 4));
  t.true(near(value('never-difference'), 2 / 6 - 1 / 4));
  t.true(near(value('always-missing'), 1 / 3), 'of 2 without 3, 2 with 3, and 3 with 2');
  t.true(near(value('always-visits'), 1 / 2));
  t.is(row('always-missing')?.holdout, 0);
  t.is(row('never-visits')?.real, 0);
  t.deepEqual(series['never'], { first: [0], second: [1], synthetic: [2], expected: [9], patients: [30] });
  t.deepEqual(series['always'], { first: [2], second: [3], synthetic: [1], visits: [60], patients: [60] });
});

test('pairs and shares of few patients are not shown, and cannot be computed from those that are', async (t) => {
  const synthetic = recordsOf(upTo(40).map(() => [[0, 1]]));
  const holdout = recordsOf(upTo(40).map((i) => [i < 3 ? [0, 1] : [0]]));
  const { row, series } = await scored({ train: hundred, holdout, synthetic }, { suppressBelow: 31 });
  t.deepEqual(series['never']?.['first'], [], '30 patients have either code');
  t.is(row('never-visits')?.holdout, null);
  t.is(row('never-difference')?.value, null);
  const clean = await scored(
    {
      train: hundred,
      holdout: recordsOf(upTo(40).map(() => [[0]])),
      synthetic: recordsOf(upTo(40).map(() => [[0, 1]])),
    },
    { suppressBelow: 11 },
  );
  t.is(clean.row('never-difference')?.value, 1, 'no patient of the holdout is no small group');
});

test('few patients, or few visits, make no rule; what is asked for is stated', async (t) => {
  const parties = { train: hundred, holdout: hundred, synthetic: hundred };
  t.regex((await scored(parties, { leastPatients: 31 })).row('never-visits')?.note ?? '', /^No two codes/);
  t.regex((await scored(parties, { expected: 9.1 })).row('never-visits')?.note ?? '', /never together/);
  t.regex((await scored(parties, { share: 0.97 })).row('always-missing')?.note ?? '', /in 97% or more/);
});

/** The visits of a cohort with each code dealt to any visit: prevalences stay, what occurs together is lost. */
const independent = (columns: VisitColumns): VisitColumns => {
  const records = upTo(patientCount(columns)).map((patient) => {
    const [first, end] = visitRange(columns, patient);
    return upTo(end - first).map((at) => [...codesOfVisit(columns, first + at)]);
  });
  const codes = records.flat(2);
  let drawn = 0;
  return recordsOf(
    records.map((visits) =>
      visits.map((visit) => visit.map(() => codes[(7919 * ++drawn) % codes.length] ?? 0)),
    ),
  );
};

test('other real patients are coherent, independent codes are not, planted contradictions are found', async (t) => {
  // Codes 600 and 601 exclude each other by the first code of the visit, 602 and 603 always come together.
  const planted = (cohort: VisitColumns, broken = 0): VisitColumns =>
    recordsOf(
      upTo(patientCount(cohort)).map((patient) => {
        const [first, end] = visitRange(cohort, patient);
        return upTo(end - first).map((at) => {
          const visit = [...codesOfVisit(cohort, first + at)];
          if (patient < broken) return [...visit, 600, 601, 602];
          return [...visit, patient % 2 ? 600 : 601, ...(patient % 3 ? [602, 603] : [])];
        });
      }),
    );
  const [train, holdout, real] = [1, 2, 3].map((seed) => planted(structuredCohort(1500, seed))) as [
    VisitColumns,
    VisitColumns,
    VisitColumns,
  ];
  const of = (synthetic: VisitColumns) =>
    scored({ train, holdout, synthetic }, { codes: structuredShape.codes + 4, replicates: 100 });
  const [same, loose, bad] = [
    await of(real),
    await of(independent(real)),
    await of(planted(structuredCohort(1500, 3), 150)),
  ];
  const value = (found: typeof same, name: string) => found.row(name)?.value ?? Number.NaN;
  const interval = (found: typeof same, name: string) =>
    found.row(name)?.interval ?? [Number.NaN, Number.NaN];
  t.true(value(same, 'never-visits') < 0.02 && value(same, 'always-missing') < 0.02);
  t.true(interval(same, 'never-difference')[0] <= 0 && interval(same, 'never-difference')[1] >= 0);
  t.true(value(loose, 'never-visits') > 0.1 && value(loose, 'always-missing') > 0.2);
  t.true(interval(loose, 'never-difference')[0] > 0 && interval(loose, 'always-difference')[0] > 0);
  t.true(Math.abs(value(bad, 'never-records') - 0.1) < 0.02, `${value(bad, 'never-records')}`);
  t.true(interval(bad, 'never-difference')[0] > 0.05);
  t.deepEqual([bad.series['never']?.['first']?.[0], bad.series['never']?.['second']?.[0]], [600, 601]);
  t.deepEqual([bad.series['always']?.['first']?.[0], bad.series['always']?.['second']?.[0]], [602, 603]);
});
