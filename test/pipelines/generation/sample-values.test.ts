import test from 'ava';
import { finishCohort } from '../../../pipelines/generation/finish-cohort.ts';
import { drawValues, exclusiveGroups, numberIn } from '../../../pipelines/generation/sample-values.ts';
import type { VisitColumns } from '../../../pipelines/patients/visit-columns.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { recordsOf } from '../../helpers/patients.ts';

const lab = (code: string, low: number, high: number) => ({
  modality: 'lab' as const,
  code,
  bucket: { low, high, decimals: 1 },
});
const gap = (low: number, high: number) => ({ modality: 'gap' as const, code: 'gap', bucket: { low, high } });

const vocabulary: Vocabulary = {
  codes: [
    { modality: 'dx', code: '4019' },
    lab('50912', 0.5, 1),
    lab('50912', 1, 2),
    { modality: 'lab', code: '50912' },
    lab('50983', 130, 140),
    { modality: 'lab', code: '51000' },
    gap(0, 30),
    gap(30, 400),
  ],
  labels: [],
};

const cohort = (...patients: number[][][]): VisitColumns => recordsOf(patients);
const visitTokens = ({ codes, codeOffsets }: VisitColumns, visit: number): number[] => [
  ...codes.subarray(codeOffsets[visit], codeOffsets[visit + 1]),
];

test('ranges of one test are a group, with the token of no number; other tests and codes are free', (t) => {
  t.deepEqual([...exclusiveGroups(vocabulary)], [-1, 0, 0, 0, 1, -1, 2, 2]);
});

test('a number of every step of the range is equally likely, and none outside it', (t) => {
  const range = { low: 0.9, high: 1.2, decimals: 1 };
  t.deepEqual(
    [0, 0.33, 0.34, 0.66, 0.67, 0.999].map((unit) => numberIn(range, unit)),
    [0.9, 0.9, 1, 1, 1.1, 1.1],
  );
  t.is(numberIn({ low: 7, high: 8, decimals: 0 }, 0.99), 7);
  t.is(numberIn({ low: -3, high: 1, decimals: 0 }, 0.5), -1);
  t.is(numberIn({ low: 10, high: 20 }, 0.25), 12.5);
});

test('each range token gets a number inside it; other tokens have none', (t) => {
  const { columns, removed } = drawValues(
    cohort(
      [
        [0, 2, 4, 5],
        [1, 6],
      ],
      [[3, 4]],
    ),
    vocabulary,
    1,
  );
  t.deepEqual(removed, { labs: 0, gaps: 0, firstGaps: 0 });
  columns.codes.forEach((token, i) => {
    const bucket = vocabulary.codes[token]?.bucket;
    const value = columns.values?.[i] as number;
    if (bucket) t.true(value >= Math.fround(bucket.low) && value < bucket.high, `${token}: ${value}`);
    else t.true(Number.isNaN(value));
  });
});

test('of two ranges of one test one stays, each as often; so of two gaps; a first visit has none', (t) => {
  const patients = Array.from({ length: 4000 }, () => [
    [0, 1, 2, 6],
    [0, 6, 7],
  ]);
  const { columns, removed } = drawValues(cohort(...patients), vocabulary, 3);
  t.deepEqual(removed, { labs: 4000, gaps: 4000, firstGaps: 4000 });
  const firsts = patients.map((_, p) => visitTokens(columns, 2 * p));
  t.true(firsts.every((tokens) => tokens.length === 2 && tokens[0] === 0));
  const low = firsts.filter((tokens) => tokens[1] === 1).length;
  // Four standard errors.
  t.true(Math.abs(low - 2000) < 4 * Math.sqrt(1000), String(low));
  t.true(patients.every((_, p) => visitTokens(columns, 2 * p + 1).length === 2));
});

test('the token of no number never stands beside a number', (t) => {
  const { columns, removed } = drawValues(cohort([[1, 3]], [[2, 3]]), vocabulary, 5);
  t.is(removed.labs, 2);
  t.is(columns.codes.length, 2);
});

test("a patient's numbers depend on the seed and the patient's index alone", (t) => {
  const patients = Array.from({ length: 6 }, (_, p) => [
    [p % 3, 4],
    [1, 6],
  ]);
  const all = drawValues(cohort(...patients), vocabulary, 9).columns;
  const again = drawValues(cohort(...patients), vocabulary, 9).columns;
  t.deepEqual(again, all);
  const others = drawValues(
    cohort(
      ...patients.with(0, [
        [0, 1, 2],
        [4, 6, 7],
      ]),
    ),
    vocabulary,
    9,
  ).columns;
  t.deepEqual(others.values?.slice(-4), all.values?.slice(-4));
  t.notDeepEqual(drawValues(cohort(...patients), vocabulary, 10).columns.values, all.values);
  // Two patients with the same record have other numbers.
  t.not(all.values?.[1], all.values?.[5]);
});

test('without ranges and rules a cohort comes back untouched, and nothing is told', (t) => {
  const plain = { codes: vocabulary.codes.slice(0, 1), labels: [] };
  const drawn = cohort([[0], []]);
  const { columns, changed, summary } = finishCohort(drawn, plain, { seed: 0, rules: 'off' });
  t.is(columns, drawn);
  t.deepEqual([changed, summary], [{}, {}]);
});

test('what was taken out is told by reason', (t) => {
  const { columns, changed, summary } = finishCohort(cohort([[0, 1, 2, 6]]), vocabulary, {
    seed: 0,
    rules: 'off',
  });
  t.is(columns.codes.length, 2);
  t.deepEqual(changed, {
    'second-range-of-a-test': { codes: 1 },
    'second-gap': { codes: 0 },
    'gap-before-first-visit': { codes: 1 },
  });
  t.is(summary['second-range-of-a-test, codes removed'], 1);
});
