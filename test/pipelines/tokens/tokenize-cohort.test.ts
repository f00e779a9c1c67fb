import test from 'ava';
import type { Cohort } from '../../../pipelines/patients/cohort-columns.ts';
import type { TokenRules } from '../../../pipelines/tokens/candidate-columns.ts';
import { tokenizeCohort } from '../../../pipelines/tokens/tokenize-cohort.ts';
import { cohortOf, type Person, rules } from './small-cohort.ts';

const people: Person[] = [
  { split: 'train', visits: [{ dx: ['b', 'c'], px: ['b'] }, { dx: ['c', 'a'] }] },
  { split: 'validation', visits: [{ dx: ['c', 'held'] }] },
  { split: 'train', visits: [{ dx: ['c', 'b'], rx: ['drug'] }] },
  { split: 'holdout', visits: [{ dx: ['held', 'other'], px: ['held'] }, { dx: ['a'] }] },
];

const names = (cohort: Cohort, changed: Partial<TokenRules>): string[] =>
  tokenizeCohort(cohort, { ...rules, ...changed }).tokens.vocabulary.codes.map(
    (c) => `${c.modality}:${c.code}`,
  );

test('frequency counts training visits; ties go by modality and code', (t) => {
  t.deepEqual(names(cohortOf(people), {}), ['dx:c', 'dx:b', 'dx:a', 'px:b']);
  t.deepEqual(names(cohortOf(people.slice(0, 3)), { minCount: 2 }), ['dx:c', 'dx:b']);
  t.deepEqual(names(cohortOf(people), { modalities: ['rx', 'dx'] }), ['dx:c', 'dx:b', 'dx:a', 'rx:drug']);
});

test('alphabetical order keeps modalities together; random order is a matter of the seed', (t) => {
  const cohort = cohortOf(people);
  t.deepEqual(names(cohort, { order: 'alphabetical' }), ['dx:a', 'dx:b', 'dx:c', 'px:b']);
  const orders = [0, 1, 2, 3].map((seed) => names(cohort, { order: 'random', seed }));
  t.deepEqual(names(cohort, { order: 'random', seed: 1 }), orders[1]);
  t.true(new Set(orders.map(String)).size > 1);
  for (const order of orders) t.deepEqual(order.toSorted(), ['dx:a', 'dx:b', 'dx:c', 'px:b']);
});

test('codes of other splits alone never get a token, and are counted where they are lost', (t) => {
  const { tokens, losses } = tokenizeCohort(cohortOf(people), rules);
  t.false(tokens.vocabulary.codes.some(({ code }) => code === 'held' || code === 'other'));
  t.deepEqual(losses.codes, { train: 0, validation: 1, holdout: 3 });
});

test('a visit left empty is dropped, and so is a patient left without visits', (t) => {
  const emptied: Person[] = [
    ...people,
    { split: 'holdout', visits: [{ dx: ['other'] }] },
    { split: 'train', visits: [] },
  ];
  const { tokens, losses } = tokenizeCohort(cohortOf(emptied), rules);
  t.deepEqual(losses.visits, { train: 0, validation: 0, holdout: 2 });
  t.deepEqual(losses.patients, { train: 1, validation: 0, holdout: 1 });
  t.deepEqual([...tokens.visitOffsets], [0, 2, 3, 4, 5]);
  t.deepEqual([...tokens.codeOffsets], [0, 3, 5, 6, 8, 9]);
  t.deepEqual([...tokens.codes], [0, 1, 3, 0, 2, 0, 0, 1, 2]);
  t.deepEqual([...tokens.labels], [1, 0, 1, 0]);
  t.deepEqual([...(tokens.split ?? [])], [0, 1, 0, 2]);
  t.deepEqual([...(tokens.demographics?.['age']?.values ?? [])], [0, 1, 2, 3]);
});

test('with unknown tokens nothing is lost: one per modality, last, once per visit', (t) => {
  const { tokens, losses } = tokenizeCohort(cohortOf(people), { ...rules, unknown: 'token' });
  t.deepEqual(
    tokens.vocabulary.codes.slice(-2).map(({ modality, code }) => [modality, code]),
    [
      ['dx', '<unknown>'],
      ['px', '<unknown>'],
    ],
  );
  t.deepEqual(losses.codes, { train: 0, validation: 0, holdout: 0 });
  // The holdout visit with two unknown diagnoses and one unknown procedure.
  t.deepEqual([...tokens.codes.slice(-3)], [4, 5, 2]);
});

test('an empty vocabulary names the settings to change', (t) => {
  t.throws(() => tokenizeCohort(cohortOf(people), { ...rules, minCount: 9 }), {
    name: 'InvalidConfig',
    message: /no code of dx, px occurs in minCount = 9/,
  });
});

test('a split that loses all its patients is an error', (t) => {
  const lost: Person[] = [...people.slice(0, 3), { split: 'holdout', visits: [{ dx: ['other'] }] }];
  t.throws(() => tokenizeCohort(cohortOf(lost), rules), { name: 'TooFewPatients', message: /holdout/ });
});
