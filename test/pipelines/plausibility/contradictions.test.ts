import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import { generatorNamed } from '../../../pipelines/generators/registry.ts';
import { drain } from '../../../pipelines/kernel/steps.ts';
import plausibility from '../../../pipelines/metrics/similarity/plausibility.ts';
import type { VisitColumns } from '../../../pipelines/patients/visit-columns.ts';
import { readCodeRules, setBits, usesIcd9 } from '../../../pipelines/plausibility/code-rules.ts';
import type { Modality } from '../../../schemas/ehr.ts';
import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { noPatients, recordsOf } from '../../helpers/patients.ts';

const rules = await readCodeRules();

/** Code and title of every line; only the first two columns that matter, and titles may be in quotes. */
const titles = (table: string): [string, string][] => {
  const file = new URL(`../../fixtures/mimic3-demo/${table}.csv.gz`, import.meta.url);
  const [, ...lines] = gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n');
  return lines.map((line): [string, string] => {
    const [, code = '', ...rest] = line.split(',');
    return [code.replaceAll('"', ''), rest.join(',')];
  });
};

const named = (modality: Modality, table: string) =>
  titles(table).map(([code, title]) => ({ modality, code, title }));
const icd9: Vocabulary = {
  codes: [...named('dx', 'D_ICD_DIAGNOSES'), ...named('px', 'D_ICD_PROCEDURES')],
  labels: [],
};

test('MIMIC’s own titles agree with the sets of the rules', (t) => {
  t.true(icd9.codes.length > 18_000 && usesIcd9(icd9));
  const bits = setBits(rules, icd9);
  const names = Object.keys(rules.sets);
  const of = (set: string) =>
    icd9.codes
      .filter((_, token) => ((bits[token] as number) & (1 << names.indexOf(set))) !== 0)
      .map(({ title = '' }) => title);
  for (const set of names) t.true(of(set).length > 0, set);
  const women = /uter(us|ine|i)\b|ovar(y|ian)|vagina(l)?\b|vulva|pregnan|deliver(y|ed)|hysterectomy|cervix/i;
  const men = /prostat|testi[sc]|peni(s|le)\b|scrot|epididym|spermat/i;
  t.deepEqual(
    of('male').filter((title) => women.test(title) && !/(in|ex)travaginal|tunica vaginalis/i.test(title)),
    [],
  );
  t.deepEqual(
    of('female').filter((title) => men.test(title)),
    [],
  );
  t.true(of('male').filter((title) => men.test(title)).length > 0.5 * of('male').length);
  t.true(of('born').every((title) => /liveborn|birth/i.test(title)));
  t.true(of('dead').every((title) => /death/i.test(title)));
  t.true(of('no-uterus').every((title) => /hysterectomy|uterus/i.test(title)));
  t.true(of('stomach-removed').every((title) => /total gastrectomy/i.test(title)));
  t.false(of('gallbladder-removed').some((title) => /partial/i.test(title)));
});

const list: [Modality, string][] = [
  ['dx', '4019'],
  ['dx', '60000'],
  ['dx', 'V270'],
  ['dx', 'V3000'],
  ['dx', '76519'],
  ['dx', '41401'],
  ['dx', '7981'],
  ['dx', '650'],
  ['dx', '66401'],
  ['px', '6849'],
  ['px', '4701'],
  ['px', '4709'],
  ['rx', '60000'],
];
const vocabulary: Vocabulary = {
  codes: list.map(([modality, code]) => ({ modality, code })),
  labels: [],
};
const [plain, prostate, outcome, liveborn, preterm, coronary, death, normal, tear, hysterectomy] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
] as const;
const [appendix, otherAppendix, drug] = [10, 11, 12] as const;

const scored = (
  synthetic: VisitColumns,
  replicates = 0,
  words = vocabulary,
  train = recordsOf([[[plain]], [[prostate], [outcome]]]),
) => {
  const { rows } = drain(
    plausibility.compute({
      vocabulary: words,
      train,
      validation: noPatients,
      holdout: noPatients,
      synthetic,
      rows: [],
      options: {},
      seed: 1,
      replicates,
    }),
  );
  return new Map(rows.map((row) => [row.row, row]));
};

const planted: Record<string, { bad: number[][]; good: number[][][] }> = {
  'both-sexes': { bad: [[prostate], [outcome]], good: [[[prostate, drug]], [[outcome]], [[outcome, drug]]] },
  'newborn-adult': { bad: [[preterm, coronary]], good: [[[preterm], [coronary]], [[liveborn, preterm]]] },
  'born-later': { bad: [[plain], [liveborn]], good: [[[liveborn], [plain]]] },
  'after-death': { bad: [[plain, death], [plain]], good: [[[plain], [death]], [[death]]] },
  'delivery-after-hysterectomy': {
    bad: [[hysterectomy], [plain], [outcome]],
    good: [[[outcome, hysterectomy]], [[outcome], [hysterectomy]]],
  },
  'removed-twice': {
    bad: [[appendix], [plain], [otherAppendix]],
    good: [[[appendix, otherAppendix]], [[appendix], [hysterectomy]]],
  },
  'normal-and-complicated': { bad: [[normal, tear]], good: [[[normal], [tear]]] },
};

for (const [rule, { bad, good }] of Object.entries(planted))
  test(`${rule}: finds the one planted, and no other`, (t) => {
    const rows = scored(recordsOf([...good, bad, [[plain]], [[], []], []]));
    const row = rows.get(rule);
    t.is(row?.n, good.length + 1, 'those concerned');
    t.is(row?.value, 1 / (good.length + 1));
    t.is(rows.get('any')?.value, 1 / (good.length + 4));
    for (const [name, { value }] of rows)
      if (name !== rule && name !== 'any') t.true(value === null || value === 0, name);
  });

/** Patients with a sex and an age each, where they are known. */
const people = (patients: readonly { visits: number[][]; sex?: string; age?: number }[]): VisitColumns => ({
  ...recordsOf(patients.map(({ visits }) => visits)),
  demographics: {
    sex: {
      kind: 'categorical',
      levels: ['F', 'M'],
      values: Int32Array.from(patients, ({ sex = '' }) => ['F', 'M'].indexOf(sex)),
    },
    age: { kind: 'numeric', values: Float32Array.from(patients, ({ age = Number.NaN }) => age) },
  },
});

test('sex and age: codes contradict what is known of the patient, and nothing where it is not known', (t) => {
  const rows = scored(
    people([
      { visits: [[prostate]], sex: 'F' },
      { visits: [[plain], [outcome]], sex: 'M' },
      { visits: [[prostate]], sex: 'M' },
      { visits: [[outcome]], sex: 'F' },
      { visits: [[prostate], [outcome]] },
      { visits: [[plain]], sex: 'F' },
    ]),
  );
  t.is(rows.get('other-sex')?.n, 4);
  t.is(rows.get('other-sex')?.value, 1 / 2);
  t.is(rows.get('any')?.value, 3 / 6, 'two by their sex, one with codes of both');
  const aged = scored(
    people([
      { visits: [[preterm]], age: 0 },
      { visits: [[plain], [preterm]], age: 40 },
      { visits: [[coronary]], age: 4 },
      { visits: [[plain], [coronary]], age: 4 },
      { visits: [[coronary]], age: 70 },
      { visits: [[coronary]] },
    ]),
  ).get('other-age');
  t.deepEqual([aged?.n, aged?.value], [5, 2 / 5]);
  t.is(scored(recordsOf([[[prostate]]])).get('other-sex')?.value, null);
});

test('a generator that ignores sex fails the rule, and its training patients do not', async (t) => {
  const real = people(
    Array.from({ length: 200 }, (_, p) => ({
      visits: [[plain, p % 2 ? prostate : outcome]],
      sex: p % 2 ? 'M' : 'F',
      age: 40 + (p % 30),
    })),
  );
  const marginal = generatorNamed('marginal');
  const data = { vocabulary, train: real, validation: noPatients };
  const fitting = await marginal.fit(data, {}, 1);
  await fitting.step();
  const sampler = await marginal.open(await fitting.model(), {}, vocabulary);
  const synthetic = await sampler.sample({ first: 0, count: 400, seed: 1 });
  const row = scored(synthetic, 0, vocabulary, real).get('other-sex');
  t.is(row?.real, 0);
  // Half of the women have the men's code, and half of the men the women's.
  t.true(Math.abs((row?.value ?? 0) - 2 / 3) < 0.08, `${row?.value}`);
});

test('every rule is planted, and real patients stand beside', (t) => {
  t.deepEqual(
    [...Object.keys(planted), 'other-sex', 'other-age'],
    rules.rules.map(({ name }) => name),
  );
  const row = scored(recordsOf([[[prostate]], [[outcome]]]), 20).get('both-sexes');
  t.deepEqual([row?.value, row?.real, row?.patients], [0, 1, 1]);
  t.deepEqual(row?.interval, [0, 1 - 0.025 ** (1 / (row?.n ?? 0))], 'none of a few is not none of all');
  t.is(
    scored(recordsOf([[[prostate]], [[outcome]]])).get('both-sexes')?.interval,
    undefined,
    'none asked for',
  );
});

test('an interval holds the share, and codes of another system are a sentence', (t) => {
  const patients = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? [[prostate], [outcome]] : [[plain]]));
  const any = scored(recordsOf(patients), 100).get('any');
  const [low = 1, high = 0] = any?.interval ?? [];
  t.true(low < 1 / 3 && high > 1 / 3);
  const words = (code: (i: number) => string): Vocabulary => ({
    ...vocabulary,
    codes: vocabulary.codes.map(({ modality }, i) => ({ modality, code: code(i) })),
  });
  for (const other of [words((i) => `ICD10:I${i}`), words(String), { codes: [], labels: [] }])
    for (const { value, note } of scored(recordsOf(patients), 0, other).values()) {
      t.is(value, null);
      t.regex(note ?? '', /ICD-9-CM/);
    }
});
