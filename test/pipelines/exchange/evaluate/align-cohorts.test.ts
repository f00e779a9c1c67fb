import test from 'ava';
import { alignCohorts } from '../../../../pipelines/exchange/evaluate/align-cohorts.ts';
import { cohortFromJson } from '../../../../pipelines/exchange/read/json-cohort.ts';
import type { OutsideCohort } from '../../../../pipelines/exchange/read/outside-cohort.ts';

const cohort = (visits: string[][], labels?: string[], row: number[] = []): OutsideCohort =>
  cohortFromJson({ patients: [{ visits, labels: row }], ...(labels ? { labels } : {}) }, 'a.json');

test("train's codes keep their numbers; those of the others come after them", (t) => {
  const {
    vocabulary,
    train,
    test: held,
    synthetic,
    notes,
  } = alignCohorts({
    train: cohort([['b', 'px:z'], ['d']]),
    test: cohort([['c', 'b']]),
    synthetic: cohort([['a', 'c', 'd', 'px:b']]),
  });
  t.deepEqual(
    vocabulary.codes.map(({ modality, code }) => `${modality}:${code}`),
    ['dx:b', 'dx:d', 'px:z', 'dx:c', 'dx:a', 'px:b'],
  );
  t.deepEqual([...train.codes], [0, 2, 1]);
  t.deepEqual([...(held?.codes ?? [])], [0, 3]);
  t.deepEqual([...synthetic.codes], [1, 3, 4, 5], 'ascending inside the visit');
  t.deepEqual(notes, [
    'test: 1 of 2 codes do not occur in train (50.0 % of its code occurrences)',
    'synthetic: 3 of 4 codes do not occur in train (75.0 % of its code occurrences)',
    'test has no px code where train has some: to compare the rest only, leave them out with --modalities',
  ]);
});

test('labels are matched by name, whatever their order', (t) => {
  const { vocabulary, synthetic } = alignCohorts({
    train: cohort([['a']], ['x', 'y', 'z'], [1, 0, 0]),
    synthetic: cohort([['a']], ['z', 'x', 'y'], [0, 1, 1]),
  });
  t.deepEqual(vocabulary.labels, ['x', 'y', 'z']);
  t.deepEqual([...synthetic.labels], [1, 1, 0]);
});

test('labels without names are matched by position and take the names of the side that has them', (t) => {
  const { vocabulary, train, synthetic } = alignCohorts({
    train: cohort([['a']], undefined, [1, 0]),
    synthetic: cohort([['a']], ['x', 'y'], [0, 1]),
  });
  t.deepEqual(vocabulary.labels, ['x', 'y']);
  t.deepEqual([...train.labels, ...synthetic.labels], [1, 0, 0, 1]);
});

test('labels that differ are refused with what differs', (t) => {
  const train = cohort([['a']], ['x', 'y'], [1, 0]);
  t.throws(() => alignCohorts({ train, synthetic: cohort([['a']], ['x', 'q'], [0, 1]) }), {
    name: 'SourceMalformed',
    message: 'labels differ: train has y that synthetic lacks, synthetic has q that train lacks',
  });
  t.throws(() => alignCohorts({ train, synthetic: cohort([['a']], undefined, [0, 1, 1]) }), {
    name: 'SourceMalformed',
    message: /^labels differ: train has 2 labels, synthetic has 3 labels;/,
  });
});

test('a side that tells no labels takes them out of the evaluation, and that is said', (t) => {
  const { vocabulary, train, notes } = alignCohorts({
    train: cohort([['a']], ['x'], [1]),
    synthetic: cohort([['a']]),
  });
  t.deepEqual([vocabulary.labels, [...train.labels]], [[], []]);
  t.regex(notes.join(), /synthetic tell no labels/);
});

test('sides without a code in common are refused', (t) => {
  t.throws(() => alignCohorts({ train: cohort([['4019']]), synthetic: cohort([['17']]) }), {
    name: 'SourceMalformed',
    message: /^no code of synthetic occurs in train \(1 and 1 codes\)/,
  });
});
