import test from 'ava';
import { file, malformed, refused } from './refused.ts';

const json = (value: unknown) => file('a.json', JSON.stringify(value));

test(
  'JSON that breaks off',
  refused,
  file('a.json', '[{"visits": [["SECRET"'),
  malformed,
  /^a\.json is not JSON: it (breaks|ends)/,
);
test(
  'JSON with a slip',
  refused,
  file('a.json', '[{"visits": [[SECRET]]}]'),
  malformed,
  /^a\.json is not JSON/,
);
test(
  'JSON of one text',
  refused,
  json('SECRET'),
  malformed,
  /expected a list of patients, or .*; found a string/,
);
test(
  'JSON of three sides in one',
  refused,
  json({ train: [], test: [] }),
  malformed,
  /found an object with train, test$/,
);
test(
  'a wrapper with more in it',
  refused,
  json({ patients: [], code_vocab: [] }),
  malformed,
  /found code_vocab$/,
);
test('a patient that is a list', refused, json([[1]]), malformed, /^a\.json: patient 0 should be \{"visits"/);
test(
  'a patient without visits',
  refused,
  json([{ labels: [] }]),
  malformed,
  /patient 0: visits .* found nothing/,
);
test(
  'a visit that is a code',
  refused,
  json([{ visits: [['1'], 'SECRET'] }]),
  malformed,
  /patient 0, visit 1 should be a list of codes, found a string/,
);
test(
  'a code with a fraction',
  refused,
  json([{ visits: [[1.5]] }]),
  malformed,
  /patient 0, visit 0: .* found a number with a fraction/,
);
test('a code that is null', refused, json([{ visits: [[null]] }]), malformed, /found null/);
test('an empty code', refused, json([{ visits: [['']] }]), malformed, /found an empty text/);
test(
  'a number beyond the list of codes',
  refused,
  json({ patients: [{ visits: [[2]] }], codes: ['a', 'b'] }),
  malformed,
  /outside the list of 2 codes/,
);
test(
  'a strange modality',
  refused,
  json({ patients: [], codes: [{ code: 'a', modality: 'SECRET' }] }),
  malformed,
  /entry 0 of codes has a modality that is none of/,
);
test(
  'label names twice',
  refused,
  json({ patients: [], labels: ['a', 'a'] }),
  malformed,
  /entry 1 of labels is there twice/,
);
test(
  'a label of 2',
  refused,
  json([{ visits: [], labels: [2] }]),
  malformed,
  /label 0 should be 0 or 1, found a whole number/,
);
test(
  'labels of different length',
  refused,
  json([{ visits: [], labels: [1] }, { visits: [] }]),
  malformed,
  /patient 1 has 0 labels where 1 are expected/,
);
test('nobody', refused, json([]), malformed, /^a\.json holds no patient$/);
test(
  'nobody with a code',
  refused,
  json([{ visits: [] }]),
  malformed,
  /no patient has a code of the modalities/,
);
