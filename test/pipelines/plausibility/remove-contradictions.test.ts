import test from 'ava';
import {
  type Demographic,
  type VisitColumns,
  VisitColumnsBuilder,
} from '../../../pipelines/patients/visit-columns.ts';
import { readCodeRules, setBits } from '../../../pipelines/plausibility/code-rules.ts';
import { contradictions } from '../../../pipelines/plausibility/contradictions.ts';
import { removeContradictions } from '../../../pipelines/plausibility/remove-contradictions.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';

const rules = await readCodeRules();
const list = ['4019', '60000', '185', '6256', 'V270', 'V3000', '7651', '3051', '41401'] as const;
const vocabulary: Vocabulary = { codes: list.map((code) => ({ modality: 'dx', code })), labels: ['L'] };
type Code = (typeof list)[number];

const cohort = (patients: Code[][][], demographics?: Record<string, Demographic>): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  for (const visits of patients)
    builder.addPatient(
      visits.map((codes) => codes.map((c) => list.indexOf(c))),
      [1],
    );
  return { ...builder.build(), ...(demographics && { demographics }) };
};

const clear = (patients: Code[][][], demographics?: Record<string, Demographic>) => {
  const { columns, ...rest } = removeContradictions(cohort(patients, demographics), vocabulary, rules);
  const record = patients.map((visits, p) =>
    visits.map((_, v) => {
      const visit = (columns.visitOffsets[p] as number) + v;
      const tokens = columns.codes.subarray(columns.codeOffsets[visit], columns.codeOffsets[visit + 1]);
      return [...tokens].map((token) => list[token]);
    }),
  );
  return { record, columns, ...rest };
};

const sex = (...levels: number[]): Record<string, Demographic> => ({
  sex: { kind: 'categorical', levels: ['F', 'M'], values: Int32Array.from(levels) },
});
const age = (...years: number[]): Record<string, Demographic> => ({
  age: { kind: 'numeric', values: Float32Array.from(years) },
});

test('codes of the other sex go: than drawn, else than most codes say, else than the first one', (t) => {
  const both: Code[][][] = [[['4019', '60000', '185'], ['V270']]];
  t.deepEqual(clear(both, sex(0)).record, [[['4019'], ['V270']]]);
  t.deepEqual(clear(both, sex(1)).record, [[['4019', '60000', '185'], []]]);
  t.deepEqual(clear(both, sex(-1)).record, [[['4019', '60000', '185'], []]]);
  t.deepEqual(clear(both).record, [[['4019', '60000', '185'], []]]);
  t.deepEqual(clear([[['6256'], ['185']]]).record, [[['6256'], []]]);
  // One sex alone contradicts nothing, unless another was drawn.
  t.deepEqual(clear([[['6256']]]).record, [[['6256']]]);
  t.deepEqual(clear([[['6256']]], sex(1)).record, [[[]]]);
});

test('what goes is counted by rule, with the visits that lose their last code; labels stay', (t) => {
  const { removed, emptied, columns } = clear([
    [['4019', '60000', '185'], ['V270']],
    [['6256'], ['185', '4019']],
    [['4019', '3051']],
  ]);
  t.deepEqual(removed, {
    'both-sexes': { patients: 2, codes: 2 },
    'newborn-adult': { patients: 0, codes: 0 },
    'born-later': { patients: 0, codes: 0 },
  });
  t.is(emptied, 1);
  t.deepEqual([...columns.labels], [1, 1, 1]);
});

test('newborn and adult: by the sampled age, else by most codes of the visit', (t) => {
  const mixed: Code[][][] = [[['V3000', '7651', '3051']]];
  t.deepEqual(clear(mixed).record, [[['V3000', '7651']]]);
  t.deepEqual(clear(mixed, age(0)).record, [[['V3000', '7651']]]);
  t.deepEqual(clear(mixed, age(44)).record, [[['3051']]]);
  t.deepEqual(clear([[['3051', '41401']]], age(0.2)).record, [[[]]]);
  // Of a later visit the age at the first says nothing to an adult's code.
  t.deepEqual(clear([[['7651'], ['3051']]], age(0)).record, [[['7651'], ['3051']]]);
  t.deepEqual(clear([[['7651', '3051'], ['41401']]]).record, [[['3051'], ['41401']]]);
});

test('no patient is born in a later visit', (t) => {
  const { record, removed } = clear([[['V3000'], ['V3000', '4019']]]);
  t.deepEqual(record, [[['V3000'], ['4019']]]);
  t.deepEqual(removed['born-later'], { patients: 1, codes: 1 });
});

test('afterwards the metric finds no patient who contradicts these rules', (t) => {
  const patients = Array.from({ length: 200 }, (_, p): Code[][] =>
    Array.from({ length: 1 + (p % 3) }, (_, v) => list.filter((_, c) => (p * 7 + v * 3 + c * c) % 4 === 0)),
  );
  const bits = setBits(rules, vocabulary);
  const found = (columns: VisitColumns) =>
    contradictions(columns, rules, bits)
      .slice(0, 3)
      .map(({ contradicts }) => contradicts.includes(1));
  t.deepEqual(found(cohort(patients)), [true, true, true]);
  const { columns } = clear(patients);
  t.deepEqual(found(columns), [false, false, false]);
  t.deepEqual(removeContradictions(columns, vocabulary, rules).columns, columns);
});

test('codes of another system are refused, not passed unseen', (t) => {
  const other: Vocabulary = { codes: [{ modality: 'dx', code: 'I10' }], labels: ['L'] };
  t.throws(() => removeContradictions(cohort([]), other, rules), {
    name: 'InvalidConfig',
    message: /ICD-9-CM/,
  });
});
