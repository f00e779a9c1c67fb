import test from 'ava';
import type { Cohort } from '../../../pipelines/patients/cohort-columns.ts';
import type { TokenRules } from '../../../pipelines/tokens/candidate-columns.ts';
import { tokenizeCohort } from '../../../pipelines/tokens/tokenize-cohort.ts';
import { cohortOf, type Person, rules } from './small-cohort.ts';

/** A patient per list of visits; a visit is days since the last one and, where it was measured, a creatinine. */
const measured = (
  split: Person['split'],
  visits: [days: number, value?: number | undefined, dx?: string][],
) => ({
  split,
  visits,
});

const measuredCohort = (people: ReturnType<typeof measured>[]): Cohort => {
  const visits = people.flatMap((person) => person.visits);
  const cohort = cohortOf(
    people.map(({ split, visits: own }) => ({
      split,
      visits: own.map(([, value, dx = 'a']) => ({
        ...(dx && { dx: [dx] }),
        ...(value !== undefined && { lab: ['50912'] }),
      })),
    })),
  );
  const days = Float32Array.from(visits, ([gap]) => gap);
  return {
    ...cohort,
    visitFacts: { days_since_admission: { kind: 'numeric', values: days } },
    labValues: Float32Array.from(visits.flatMap(([, value]) => (value === undefined ? [] : [value]))),
    dictionary: { ...cohort.dictionary, lab: [{ code: '50912', title: 'Creatinine', unit: 'mg/dL' }] },
  };
};

const none = Number.NaN;
const ranged: TokenRules = {
  ...rules,
  modalities: ['dx', 'lab'],
  labs: 'buckets',
  gaps: true,
  order: 'alphabetical',
  buckets: { count: 4, leastPatients: 2, trim: 0 },
};
const measuredPeople = [
  ...Array.from({ length: 12 }, (_, i) =>
    measured('train', [
      [none, i],
      [10 * (i + 1), none],
    ]),
  ),
  measured('holdout', [[none, 100], [3], [1000, -5]]),
];

test('lab tests as ranges: fitted on training visits, every number in one, the number kept beside it', (t) => {
  const { tokens, losses } = tokenizeCohort(measuredCohort(measuredPeople), ranged);
  const labs = tokens.vocabulary.codes.filter(({ modality }) => modality === 'lab');
  t.deepEqual(
    labs.map(({ bucket }) => bucket?.low),
    [1, 3, 6, 9, undefined],
  );
  t.like(labs[0], { code: '50912', title: 'Creatinine', bucket: { high: 3, unit: 'mg/dL', decimals: 0 } });
  // Measured without a number: a token of its own, after the ranges.
  t.deepEqual(labs[4], { modality: 'lab', code: '50912', title: 'Creatinine' });
  t.deepEqual(losses.numbers, { train: 0, validation: 0, holdout: 0 });
  const tokenOf = (visit: number) => [
    ...tokens.codes.subarray(tokens.codeOffsets[visit], tokens.codeOffsets[visit + 1]),
  ];
  const numberOf = (visit: number) => [
    ...(tokens.values ?? new Float32Array()).subarray(
      tokens.codeOffsets[visit],
      tokens.codeOffsets[visit + 1],
    ),
  ];
  t.deepEqual(
    [tokenOf(0), numberOf(0)],
    [
      [0, 1],
      [none, 0],
    ],
  );
  t.deepEqual(tokenOf(1).slice(0, 2), [0, 5]);
  // Numbers beyond all training numbers belong to the outer ranges.
  t.deepEqual(
    [tokenOf(24), numberOf(24)],
    [
      [0, 4],
      [none, 100],
    ],
  );
  t.deepEqual(tokenOf(26).slice(0, 2), [0, 1]);
});

test('a test with too few patients keeps the token of being done, and its numbers are counted', (t) => {
  const { tokens, losses } = tokenizeCohort(measuredCohort(measuredPeople), {
    ...ranged,
    buckets: { ...ranged.buckets, leastPatients: 13 },
  });
  t.deepEqual(
    tokens.vocabulary.codes.map(({ modality, bucket }) => [modality, bucket]),
    [
      ['dx', undefined],
      ['lab', undefined],
    ],
  );
  t.deepEqual(losses.numbers, { train: 12, validation: 0, holdout: 2 });
});

test('gaps: the first visit has none; the days of a visit that was dropped go to the next one', (t) => {
  const people = [
    ...measuredPeople,
    measured('holdout', [[none, undefined, 'b'], [5], [20, undefined, ''], [7], [40]]),
  ];
  const { tokens } = tokenizeCohort(measuredCohort(people), {
    ...ranged,
    modalities: ['dx'],
    labs: 'presence',
  });
  const isGap = (token: number) => tokens.vocabulary.codes[token]?.modality === 'gap';
  const gaps = (patient: number) =>
    Array.from(
      tokens.codeOffsets.subarray(tokens.visitOffsets[patient], tokens.visitOffsets[patient + 1]),
      (from, v) => {
        const to = tokens.codeOffsets[(tokens.visitOffsets[patient] as number) + v + 1] as number;
        const at = Array.from({ length: to - from }, (_, i) => from + i).find((i) =>
          isGap(tokens.codes[i] as number),
        );
        return at === undefined ? undefined : tokens.values?.[at];
      },
    );
  t.deepEqual(gaps(0), [undefined, 10]);
  t.deepEqual(gaps(12), [undefined, 3, 1000]);
  // The first visit's only code is unknown, so the second becomes the first; the fourth takes over the third's days.
  t.deepEqual(gaps(13), [undefined, 27, 40]);
});

test('ranges of lab tests without lab tests are refused', (t) => {
  t.throws(
    () =>
      tokenizeCohort(cohortOf([{ split: 'train', visits: [{ dx: ['a'] }] }]), { ...rules, labs: 'buckets' }),
    { message: /does not list `lab`/ },
  );
});
