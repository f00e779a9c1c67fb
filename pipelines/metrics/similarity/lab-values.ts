import { z } from 'zod';
import type { Steps } from '../../kernel/steps.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import { defineMetric, type MetricResult, type PartialRow, type Parts, type Series } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { resampledRows } from '../rows/resampled-rows.ts';
import { numberDistance, numberMoments, valuePearson, valueR2 } from '../statistics/distributions.ts';
import { type LabTest, labTests, type TestColumn, testColumns } from '../statistics/lab-tests.ts';
import { type Measure, measured, missing } from '../statistics/measure.ts';

/** One cohort: its tests, and how many visits each patient has. */
interface Side {
  tests: TestColumn[];
  visits: Int32Array;
}

type Weights = readonly [Int32Array, Int32Array];

const sideOf = (columns: VisitColumns, testOf: Int32Array, tests: number): Side => ({
  tests: testColumns(columns, testOf, tests),
  visits: columns.visitOffsets
    .subarray(1)
    .map((end, patient) => end - (columns.visitOffsets[patient] as number)),
});

const weightedSum = (patients: ArrayLike<number>, counts: Int32Array, weights: Int32Array): number => {
  let sum = 0;
  for (let i = 0; i < counts.length; i++)
    sum += (counts[i] as number) * (weights[patients[i] as number] as number);
  return sum;
};

/** Share of visits in which each test was done. */
const presence = ({ tests, visits }: Side, weights: Int32Array): number[] => {
  const patients = Int32Array.from(visits, (_, patient) => patient);
  const all = weightedSum(patients, visits, weights);
  return tests.map((test) => weightedSum(test.patients, test.visits, weights) / Math.max(1, all));
};

/** What the numbers of one test look like on both sides. */
interface Compared {
  real: number;
  synthetic: number;
  /**
   * By how many real standard deviations the synthetic mean is off; undefined where real numbers do not vary.
   */
  shift: number | undefined;
  ks: number;
}

const compareNumbers = (real: TestColumn, synthetic: TestColumn, weights: Weights): Compared | undefined => {
  const theirs = numberMoments(real.numbers, weights[0]);
  const ours = numberMoments(synthetic.numbers, weights[1]);
  const apart = numberDistance([real.numbers, synthetic.numbers], weights);
  if (!theirs || !ours || !apart) return undefined;
  const shift = theirs.sd > 0 ? Math.abs(ours.mean - theirs.mean) / theirs.sd : undefined;
  return { real: theirs.mean, synthetic: ours.mean, shift, ks: apart.ks };
};

/** Patients with a value of a test. */
const patientsOf = ({ tests }: Side, test: number): number => new Set(tests[test]?.numbers.patients).size;
const average = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
const defined = <T>(values: readonly (T | undefined)[]): T[] => values.filter((value) => value !== undefined);

const heading = (row: string, title: string, about: string, more: Partial<PartialRow> = {}) => ({
  row,
  title,
  about,
  more,
});
const bounds: [number, number] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
const r2Range: PartialRow['range'] = [null, 1];
const headings = [
  heading(
    'presence-r2',
    'R² of tests done per visit',
    'share of the differences between how often real tests are done that synthetic visits reproduce',
    { range: r2Range, better: 'higher' },
  ),
  heading(
    'presence-pearson',
    'Correlation of tests done per visit',
    'how straight a line the shares of visits with each test fall on',
    { range: [-1, 1], better: 'higher' },
  ),
  heading(
    'reference-presence-r2',
    'R² of tests done per visit, as published',
    'as in the HALO code: the synthetic shares are the truth that real ones predict',
    { range: r2Range, better: 'higher' },
  ),
  heading(
    'shift',
    'Mean shift of lab values',
    'by how many real standard deviations the mean of a test is off, averaged over tests',
    { range: [0, null] },
  ),
  heading(
    'ks',
    'Mean Kolmogorov–Smirnov distance of lab values',
    'the largest difference between the cumulative shares of a test’s values, averaged over tests',
    { range: [0, 1] },
  ),
  heading(
    'ks-worst',
    'Largest Kolmogorov–Smirnov distance of lab values',
    'the same for the test whose values are furthest off',
    { range: [0, 1] },
  ),
  heading(
    'absent',
    'Tests that never have a value',
    'share of the tests with values in the real cohort that have none in the synthetic one',
    { range: [0, 1] },
  ),
  heading(
    'mean-r2',
    'R² of mean lab values',
    'of the means of all tests, each in its own unit: tests with large numbers decide it, so look at the shift first',
    { range: r2Range, better: 'higher' },
  ),
  heading(
    'mean-pearson',
    'Correlation of mean lab values',
    'how straight a line the means of all tests fall on, each in its own unit',
    { range: [-1, 1], better: 'higher' },
  ),
  heading(
    'reference-mean-r2',
    'R² of mean lab values, as published',
    'as in the HALO code (Fig. 4d): the synthetic means are the truth that real ones predict',
    { range: r2Range, better: 'higher' },
  ),
] as const;

const orMissing = (value: number | null, n: number, why: string): Measure =>
  value === null ? missing(why, n) : measured(value, n);

const tooFew = 'fewer than two lab tests, or all of them alike, so there are no differences to reproduce';

const presenceMeasures = (real: Side, synthetic: Side, weights: Weights): Measure[] => {
  const [theirs, ours] = [presence(real, weights[0]), presence(synthetic, weights[1])];
  const n = theirs.length;
  return [valueR2(theirs, ours), valuePearson(theirs, ours), valueR2(ours, theirs)].map((value) =>
    orMissing(value, n, tooFew),
  );
};

const numberMeasures = (compared: readonly (Compared | undefined)[]): Measure[] => {
  const found = defined(compared);
  const n = found.length;
  const [real, synthetic] = [found.map((test) => test.real), found.map((test) => test.synthetic)];
  const ks = found.map((test) => test.ks);
  const nothing = 'no lab test has values on both sides';
  return [
    orMissing(average(defined(found.map(({ shift }) => shift))), n, nothing),
    orMissing(average(ks), n, nothing),
    orMissing(n === 0 ? null : ks.reduce((most, value) => Math.max(most, value), 0), n, nothing),
    orMissing(compared.length === 0 ? null : 1 - n / compared.length, compared.length, nothing),
    ...[valueR2(real, synthetic), valuePearson(real, synthetic), valueR2(synthetic, real)].map((value) =>
      orMissing(value, n, tooFew),
    ),
  ];
};

/** The plots show tests one by one: every row is over those of one plot. */
type PlottedTests = Record<'presence' | 'numbers', Parts>;

const asRows = (measures: readonly Measure[], plotted?: PlottedTests): PartialRow[] =>
  headings.map(({ more, ...row }, i) =>
    measureRow(row, measures[i] as Measure, {
      ...more,
      nIs: 'keys',
      parts: row.row.includes('presence') ? plotted?.presence : plotted?.numbers,
    }),
  );

/** The rows after those about presence. */
const withoutNumbers = headings
  .filter(({ row }) => !row.includes('presence'))
  .map(() => missing('the vocabulary has no ranges of lab values; see `tokens.labs`'));

const nameOf = ({ code, title, unit }: LabTest): string =>
  `${title ?? code}${unit === undefined ? '' : `, ${unit}`}`;

/**
 * Lab tests and lab values of HALO (Theodorou et al. 2023, Fig. 4c and 4d); continuous_variables/evaluate.py.
 */
export default defineMetric({
  name: 'lab-values',
  family: 'similarity',
  title: 'Lab values',
  about:
    'Are lab tests done as often in synthetic visits as in real ones, and do their values have the same means and distributions? Values need a vocabulary with ranges (`tokens.labs: buckets`).',
  better: 'lower',
  range: bounds,
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  options: z.object({
    leastPatients: z
      .int()
      .positive()
      .default(11)
      .describe('real patients with a value that a test must have for its values to count'),
  }),
  *compute(input): Steps<MetricResult> {
    const { vocabulary, train, synthetic, options } = input;
    const { tests, testOf } = labTests(vocabulary);
    if (tests.length === 0)
      return { rows: asRows(headings.map(() => missing('the vocabulary has no lab tests'))) };
    const [real, ours] = [sideOf(train, testOf, tests.length), sideOf(synthetic, testOf, tests.length)];
    const known = [...tests.keys()].filter((test) => patientsOf(real, test) >= options.leastPatients);
    const compare = (weights: Weights) =>
      known.map((test) =>
        compareNumbers(real.tests[test] as TestColumn, ours.tests[test] as TestColumn, weights),
      );
    const groupsOf = (some: readonly number[], count: (test: number) => number): Parts => ({
      groups: some.map((test) => ({ patients: count(test) })),
      rows: 2,
    });
    const plotted = {
      presence: groupsOf([...tests.keys()], (test) => (real.tests[test] as TestColumn).patients.length),
      numbers: groupsOf(known, (test) => patientsOf(real, test)),
    };
    const hasNumbers = tests.some((test) => test.hasNumbers);
    const rows = yield* resampledRows(input, bounds, (patients) => {
      const weights = [patients.real, patients.synthetic] as const;
      const numbers = hasNumbers ? numberMeasures(compare(weights)) : withoutNumbers;
      return asRows([...presenceMeasures(real, ours, weights), ...numbers], plotted);
    });
    const once = [real, ours].map(({ visits }) => new Int32Array(visits.length).fill(1)) as [
      Int32Array,
      Int32Array,
    ];
    return { rows, series: seriesOf(tests, known, [real, ours], once, compare(once)) };
  },
});

const seriesOf = (
  tests: readonly LabTest[],
  known: readonly number[],
  [real, synthetic]: readonly [Side, Side],
  once: Weights,
  compared: readonly (Compared | undefined)[],
): Record<string, Series> => {
  const both = known.flatMap((test, i) => {
    const found = compared[i];
    return found ? [{ test, ...found }] : [];
  });
  return {
    presence: {
      test: tests.map(nameOf),
      real: presence(real, once[0]),
      synthetic: presence(synthetic, once[1]),
      patients: real.tests.map(({ patients }) => patients.length),
    },
    ...(both.length > 0 && {
      means: {
        test: both.map(({ test }) => nameOf(tests[test] as LabTest)),
        real: both.map((test) => test.real),
        synthetic: both.map((test) => test.synthetic),
        ks: both.map(({ ks }) => ks),
        patients: both.map(({ test }) => patientsOf(real, test)),
      },
    }),
  };
};
