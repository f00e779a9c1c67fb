import test from 'ava';
import { icd9Category, rollUp } from '../../../pipelines/tokens/roll-up.ts';
import { tokenizeCohort } from '../../../pipelines/tokens/tokenize-cohort.ts';
import { cohortOf, rules } from './small-cohort.ts';

test('categories of ICD-9-CM codes; other codes have none', (t) => {
  const categories = (modality: 'dx' | 'px', codes: string[]) =>
    codes.map((code) => icd9Category(modality, code));
  t.deepEqual(categories('dx', ['4280', '42831', '486', '428.0', 'V5861', 'E8497', 'E849']), [
    ...['428', '428', '486', '428', 'V58', 'E849', 'E849'],
  ]);
  t.deepEqual(categories('dx', ['ICD10:I509', '42', '428012', 'V5', 'E84']), Array(5).fill(undefined));
  t.deepEqual(categories('px', ['3961', '396', '39.61', '96']), ['39', '39', '39', undefined]);
});

const cohort = cohortOf([
  {
    split: 'train',
    visits: [{ dx: ['4280', '486', '42831', 'local'], px: ['3961', '3962'] }, { dx: ['4289', 'E8497'] }],
  },
  { split: 'holdout', visits: [{ dx: ['4281'], px: ['4011'] }] },
]);

test('codes of one category are one code of the visit, and what is no ICD-9-CM code stays', (t) => {
  const { tokens, losses } = tokenizeCohort(cohort, { ...rules, rollUp: { dx: '3-digit' } });
  const codes = tokens.vocabulary.codes.map(({ code }) => code);
  t.deepEqual(codes, ['428', '486', 'E849', 'local', '3961', '3962']);
  const visits = [...tokens.codeOffsets.subarray(1)].map((end, visit) =>
    [...tokens.codes.subarray(tokens.codeOffsets[visit], end)].map((token) => codes[token]),
  );
  t.deepEqual(visits, [['428', '486', 'local', '3961', '3962'], ['428', 'E849'], ['428']]);
  t.deepEqual(
    losses.codes,
    { train: 0, validation: 0, holdout: 1 },
    '4281 is in a category of the training split',
  );
  t.deepEqual([...tokens.labels], [1, 0], 'labels stay');
});

test('procedures have two digits; titles are those of categories that are codes themselves', (t) => {
  const titled = {
    ...cohort,
    dictionary: {
      ...cohort.dictionary,
      dx: cohort.dictionary.dx.map((entry) => ({ ...entry, title: `title of ${entry.code}` })),
    },
  };
  const rolled = rollUp(titled, { dx: '3-digit', px: '2-digit' });
  t.deepEqual(rolled.dictionary.dx, [
    { code: '428' },
    { code: '486', title: 'title of 486' },
    { code: 'E849' },
    { code: 'local', title: 'title of local' },
  ]);
  t.deepEqual([...rolled.codes.px.indices], [0, 1]);
  t.is(rollUp(titled).codes.dx, titled.codes.dx, 'nothing is rolled up unless the config asks for it');
});

test('a modality without ICD-9-CM codes cannot be rolled up', (t) => {
  const other = cohortOf([{ split: 'train', visits: [{ dx: ['ICD10:I509', 'ICD10:J189'] }] }]);
  t.throws(() => rollUp(other, { dx: '3-digit' }), {
    code: 'InvalidConfig',
    message: /rollUp\.dx: none of the 2 codes looks like ICD-9-CM/,
  });
});
