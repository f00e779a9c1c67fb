import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { medsCode } from '../../../../pipelines/exchange/read/code-systems.ts';
import { medsName } from '../../../../pipelines/exchange/write/code-names.ts';
import { modalities } from '../../../../schemas/ehr.ts';
import { read } from '../read/layouts.ts';
import { exportTo, hardCodes, plainCodes, randomCohort, recordsIn } from './cohorts.ts';
import { exportPlaces, queries } from './read-back.ts';

const systemCodes = [
  { modality: 'dx', code: 'ICD10:E119', title: 'Diabetes' },
  { modality: 'dx', code: 'e119' },
  { modality: 'px', code: 'CPT4:99213' },
  { modality: 'px', code: 'ICD10:02HV33Z' },
  { modality: 'rx', code: 'RxNorm:1191' },
  { modality: 'rx', code: 'NDC:0409/1' },
  { modality: 'rx', code: 'UNK' },
  { modality: 'rx', code: 'Aspirin  EC' },
  { modality: 'lab', code: 'LOINC:2345-7' },
  { modality: 'lab', code: 'RESULT/50868' },
] as const;

const vocabularies = { hard: hardCodes, plain: plainCodes, systems: [...systemCodes] };

for (const [name, codes] of Object.entries(vocabularies))
  test(`meds: any cohort with ${name} codes comes back the same through our own reader`, async (t) => {
    for (let seed = 0; seed < 5; seed++) {
      const { root, folder, scratch } = await exportPlaces(t);
      const cohort = randomCohort(seed, {
        patients: 1 + 5 * seed,
        codes,
        labels: seed % 2 ? ['Sepsis'] : [],
        demographics: seed % 2 === 0,
      });
      await exportTo(folder, scratch, 'meds', { cohort });
      const found = await read(root, folder, modalities);
      t.is(found.layout, 'meds');
      t.deepEqual(recordsIn(found.cohort), recordsIn(cohort), `seed ${seed}`);
      t.deepEqual(found.cohort.split, new Uint8Array(1 + 5 * seed));
      const titles = (of: typeof cohort) =>
        new Map(of.vocabulary.codes.flatMap(({ code, title }) => (title ? [[code, title] as const] : [])));
      const [had, has] = [titles(cohort), titles(found.cohort)];
      for (const [code, title] of has) t.is(title, had.get(code) ?? '');
    }
  });

test('meds names: known systems as MIMIC data sets spell them, all others whole under a system of our own', (t) => {
  const name = (modality: 'dx' | 'px' | 'rx' | 'lab', code: string, unit: string | null = null) =>
    medsName({ modality, code, unit });
  t.is(name('dx', '0389'), 'DIAGNOSIS//ICD//9//0389');
  t.is(name('px', '0066'), 'PROCEDURE//ICD//9//0066');
  t.is(name('rx', 'aspirin ec'), 'MEDICATION//START//aspirin ec');
  t.is(name('lab', '50868', 'mEq/L'), 'LAB//50868//mEq/L');
  t.is(name('rx', 'd5w, 1/2 ns'), 'UNDERSTUDY//rx//d5w, 1/2 ns');
  for (const code of ['0389', 'ICD10:E119', 'ICD10:e11.9', 'x/y', 'a\nb', '12', 'LOINC:1'])
    for (const modality of modalities) t.like(medsCode(name(modality, code)), { modality, code });
});

test('meds: sorted by subject and time, every code described, values and static facts in place', async (t) => {
  const { folder, scratch } = await exportPlaces(t);
  const query = await queries(t);
  const cohort = randomCohort(7, { patients: 40, codes: plainCodes, labels: ['Sepsis'], demographics: true });
  await exportTo(folder, scratch, 'meds', { cohort });
  const data = `'${join(folder, 'data/train/0.parquet')}'`;
  const rows = await query(`SELECT subject_id, epoch_us(time) AS at, code, numeric_value FROM ${data}`);
  const keyOf = ({ subject_id, at }: (typeof rows)[number]) =>
    [Number(subject_id), Number(at ?? Number.NEGATIVE_INFINITY)] as const;
  for (let i = 1; i < rows.length; i++) {
    const [before, after] = [keyOf(rows[i - 1] as never), keyOf(rows[i] as never)];
    t.true(before[0] < after[0] || (before[0] === after[0] && before[1] <= after[1]), `row ${i}`);
  }
  const undescribed = await query(
    `SELECT code FROM ${data} WHERE code NOT IN (SELECT code FROM '${join(folder, 'metadata/codes.parquet')}')`,
  );
  t.deepEqual(undescribed, []);
  const written = rows.flatMap(({ numeric_value }) =>
    numeric_value === null ? [] : [Number(numeric_value)],
  );
  const gaps = new Set(cohort.vocabulary.codes.flatMap(({ modality }, i) => (modality === 'gap' ? [i] : [])));
  const sampled = [...(cohort.values ?? [])].filter(
    (value, i) => !Number.isNaN(value) && !gaps.has(cohort.codes[i] as number),
  );
  t.deepEqual(written.sort(), sampled.sort());
  const [ages] = await query(`SELECT count(*) AS n FROM ${data} WHERE code = 'MEDS_BIRTH'`);
  t.is(Number(ages?.['n']), 32, 'a birth where an age was sampled, and only there');
  const labels = await query(
    `SELECT * FROM '${join(folder, 'labels/00-sepsis.parquet')}' ORDER BY subject_id`,
  );
  t.deepEqual(
    labels.map(({ boolean_value }) => Number(boolean_value)),
    [...cohort.labels],
  );
  const about = JSON.parse(await readFile(join(folder, 'metadata/dataset.json'), 'utf8'));
  t.regex(about.description, /SYNTHETIC/);
});
