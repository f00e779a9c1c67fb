import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { assembleCohort } from '../../../../pipelines/cohort/assemble-cohort.ts';
import { cohortTables } from '../../../../pipelines/cohort/assemble-sql.ts';
import { inventFacts } from '../../../../pipelines/exchange/write/invented-facts.ts';
import { codeRange, type TokenCohort, visitRange } from '../../../../pipelines/patients/visit-columns.ts';
import { extractTables } from '../../../../pipelines/sources/extract-tables.ts';
import { mimicIii } from '../../../../pipelines/sources/mimic-iii.ts';
import { modalities } from '../../../../schemas/ehr.ts';
import { read } from '../read/layouts.ts';
import { exportTo, hardCodes, plainCodes, randomCohort, recordsIn } from './cohorts.ts';
import { exportPlaces } from './read-back.ts';

/** What is left of records where neither empty visits nor patients without visits can be held. */
const withoutEmpty = (records: string[][][]): string[][][] =>
  records.map((visits) => visits.filter((codes) => codes.length > 0)).filter((visits) => visits.length > 0);

const roundTrip = async (
  t: ExecutionContext,
  cohort: TokenCohort,
  layout: string,
  { format, file }: { format?: 'csv' | 'parquet'; file?: string },
) => {
  const { root, folder, scratch } = await exportPlaces(t);
  await exportTo(folder, scratch, layout, { cohort, format });
  return (await read(root, file === undefined ? folder : join(folder, file), modalities)).cohort;
};

const seeds = [0, 1, 2];

for (const [format, file] of [
  ['parquet', undefined],
  ['csv', 'events.csv.gz'],
] as const)
  test(`long ${format}: any cohort comes back, also hard texts, empty visits and patients without visits`, async (t) => {
    for (const seed of seeds) {
      const labels = seed % 2 ? ['Gout, "chronic"', 'Sepsis'] : [];
      const cohort = randomCohort(seed, { patients: 5 + 6 * seed, codes: hardCodes, labels, empty: true });
      const found = await roundTrip(t, cohort, 'long', { format, file });
      t.deepEqual(recordsIn(found), recordsIn(cohort), `seed ${seed}`);
      t.deepEqual([found.vocabulary.labels, found.labels], [labels, cohort.labels]);
    }
  });

test('reference-json: any cohort comes back, with labels and titles', async (t) => {
  for (const seed of seeds) {
    const labels = seed % 2 ? ['Sepsis', 'Gout, "chronic"'] : [];
    const cohort = randomCohort(seed, { patients: 5 + 6 * seed, codes: hardCodes, labels, empty: true });
    const found = await roundTrip(t, cohort, 'reference-json', { file: 'cohort.json' });
    t.deepEqual(recordsIn(found), recordsIn(cohort), `seed ${seed}`);
    t.deepEqual(
      [found.vocabulary.labels, found.labels, found.generator],
      [labels, cohort.labels, 'marginal'],
    );
    const titled = found.vocabulary.codes.filter(({ title }) => title !== undefined);
    for (const { modality, code, title } of titled)
      t.is(hardCodes.find((entry) => entry.modality === modality && entry.code === code)?.title, title);
  }
});

for (const [format, file] of [
  ['parquet', undefined],
  ['csv', 'frame.csv.gz'],
] as const)
  test(`pyhealth ${format}: all but what is empty comes back`, async (t) => {
    for (const seed of seeds) {
      const cohort = randomCohort(seed, {
        patients: 3 + 6 * seed,
        codes: hardCodes,
        labels: ['Sepsis', 'Gout'],
        empty: true,
      });
      const found = await roundTrip(t, cohort, 'pyhealth', { format, file });
      t.deepEqual(recordsIn(found), withoutEmpty(recordsIn(cohort)), `seed ${seed}`);
      const coded = recordsIn(cohort).map((visits) => visits.some((codes) => codes.length > 0));
      const any = coded.map((_, patient) =>
        Math.max(...cohort.labels.subarray(2 * patient, 2 * patient + 2)),
      );
      t.deepEqual(
        Array.from(found.labels),
        any.filter((_, patient) => coded[patient]),
      );
    }
  });

for (const format of ['csv', 'parquet'] as const)
  test(`mimic-iii ${format}: visits and codes come back through extraction and cohort`, async (t) => {
    for (const seed of seeds) {
      const demographics = seed % 2 === 0;
      const cohort = randomCohort(seed, {
        patients: 3 + 6 * seed,
        codes: plainCodes,
        demographics,
        empty: true,
      });
      const found = await roundTrip(t, cohort, 'mimic-iii', { format });
      t.deepEqual(recordsIn(found), withoutEmpty(recordsIn(cohort)), `seed ${seed}`);
      t.deepEqual((found as { notes?: string[] }).notes, [], 'no row is turned away');
    }
  });

const last = async <Y, R>(work: AsyncGenerator<Y, R>): Promise<R> => {
  let turn = await work.next();
  while (!turn.done) turn = await work.next();
  return turn.value;
};

/** The events of an export, as a run would assemble them. */
const assembled = async (source: string, scratch: string) => {
  const draft = { path: (file: string) => join(scratch, file) };
  const { tables } = await last(extractTables(mimicIii, source, draft));
  const paths = Object.fromEntries(cohortTables.map((table) => [table, draft.path(`${table}.parquet`)]));
  const rules = { split: { validation: 0, holdout: 0 }, seed: 0, minVisits: 1, minAge: 0 };
  const work = assembleCohort(
    paths as Parameters<typeof assembleCohort>[0],
    { ...rules, drugTypes: ['MAIN'], labValue: 'last' },
    draft,
  );
  return { tables, cohort: (await last(work)).cohort };
};

/** Numbers of a cohort's tokens of one modality, in order of visits and codes. */
const numbersOf = ({ codes, values, vocabulary }: TokenCohort, modality: string): number[] =>
  Array.from(codes, (token, i) => ({
    kind: vocabulary.codes[token]?.modality,
    value: values?.[i] ?? Number.NaN,
  }))
    .filter(({ kind, value }) => kind === modality && !Number.isNaN(value))
    .map(({ value }) => value);

for (const format of ['csv', 'parquet'] as const)
  test(`mimic-iii ${format}: numbers, gaps and demographics come back as a run reads them`, async (t) => {
    const { root, folder, scratch } = await exportPlaces(t);
    const cohort = randomCohort(7, { patients: 40, codes: plainCodes, demographics: true });
    await exportTo(folder, scratch, 'mimic-iii', { cohort, format });
    const source = join(root, 'source');
    await mkdir(source);
    const { tables, cohort: found } = await assembled(folder, source);
    for (const [table, { read: rows, kept, notes }] of Object.entries(tables)) {
      t.is(kept, rows, table);
      const surprising = Object.keys(notes).filter(
        (note) => !['no-sex', 'no-ndc', 'no-number'].includes(note),
      );
      t.deepEqual(surprising, [], table);
    }
    t.deepEqual(found.visitOffsets, cohort.visitOffsets);
    const numbers = found.labValues.filter((value) => !Number.isNaN(value));
    t.deepEqual(Array.from(numbers).sort(), numbersOf(cohort, 'lab').sort());
    const since = found.visitFacts['days_since_admission']?.values ?? [];
    const gaps = numbersOf(cohort, 'gap');
    const read = Array.from(since).filter((value) => !Number.isNaN(value));
    t.is(read.length, gaps.length);
    for (const [i, gap] of gaps.entries()) {
      t.true((read[i] as number) >= gap, 'never below the lower end of its bucket');
      t.true((read[i] as number) - gap < 2 / 86400);
    }
    const { age, sex, ethnicity, admission_type, insurance } = found.demographics;
    const given = cohort.demographics ?? {};
    const text = (fact: typeof sex, i: number) =>
      fact?.kind === 'categorical' ? fact.levels[fact.values[i] as number] : 0;
    for (let i = 0; i < 40; i++) {
      const years = given['age']?.values[i] as number;
      if (!Number.isNaN(years))
        t.true(Math.abs((age?.values[i] as number) - years) <= 1.01 / 365.2425, `age ${i}`);
      t.is(text(sex, i), text(given['sex'], i));
      const people = text(given['ethnicity'], i) as string | undefined;
      t.is(text(ethnicity, i), format === 'csv' && people?.startsWith('=') ? `'${people}` : people);
      t.is(text(admission_type, i), text(given['admission_type'], i));
      t.is(text(insurance, i), text(given['insurance'], i));
    }
    t.is(found.dictionary.lab.find(({ code }) => code === '50868')?.title, 'Anion Gap (Blood)');
    t.is(found.dictionary.lab.find(({ code }) => code === '50868')?.unit, 'mEq/L');
  });

test('stays follow one another, and events lie in them', (t) => {
  const cohort = randomCohort(3, { patients: 200, codes: plainCodes });
  const { admitted, discharged, times, birth, filledBirth, death, counts } = inventFacts(cohort, 11);
  for (let patient = 0; patient < 200; patient++) {
    const [first, end] = visitRange(cohort, patient);
    const years = ((admitted[first] as number) - (filledBirth[patient] as number)) / 31556952;
    t.true(years >= 18 && years < 90.01);
    for (let visit = first; visit < end; visit++) {
      t.true((discharged[visit] as number) > (admitted[visit] as number));
      if (visit > first) t.true((admitted[visit] as number) > (discharged[visit - 1] as number));
      for (let [i, to] = codeRange(cohort, visit); i < to; i++) {
        const gap = cohort.vocabulary.codes[cohort.codes[i] as number]?.modality === 'gap';
        t.is(Number.isNaN(times[i]), gap);
        if (!gap)
          t.true(
            (times[i] as number) >= (admitted[visit] as number) &&
              (times[i] as number) <= (discharged[visit] as number),
          );
      }
    }
  }
  t.true(birth.every(Number.isNaN) && death.every(Number.isNaN));
  t.deepEqual(counts, { ages: 200, gaps: 0 });
  const year = (seconds: number) => new Date(seconds * 1000).getUTCFullYear();
  t.true(admitted.every((seconds) => year(seconds) >= 2110 && year(seconds) < 2200));
});

test('the facts of a patient depend on the record and the place alone; another seed gives others', (t) => {
  const whole = randomCohort(3, { patients: 20, codes: plainCodes, demographics: true });
  const end = whole.visitOffsets[5] as number;
  const part: TokenCohort = {
    ...whole,
    visitOffsets: whole.visitOffsets.slice(0, 6),
    codeOffsets: whole.codeOffsets.slice(0, end + 1),
    codes: whole.codes.slice(0, whole.codeOffsets[end]),
    labels: new Uint8Array(0),
  };
  const facts = inventFacts(whole, 1);
  t.deepEqual(inventFacts(part, 1).admitted, facts.admitted.slice(0, end));
  t.notDeepEqual(inventFacts(whole, 2).admitted, facts.admitted);
});

test('a death in hospital ends the last stay, in every table that holds it', async (t) => {
  const cohort = randomCohort(4, { patients: 6, codes: plainCodes });
  cohort.demographics = { died_in_hospital: { kind: 'numeric', values: Float32Array.of(0, 1, 0, 0, 1, 0) } };
  const { death, discharged } = inventFacts(cohort, 0);
  t.deepEqual(Array.from(death, Number.isNaN), [true, false, true, true, false, true]);
  t.is(death[1], discharged[(cohort.visitOffsets[2] as number) - 1]);
  const { root, folder, scratch } = await exportPlaces(t);
  await exportTo(folder, scratch, 'mimic-iii', { cohort });
  await mkdir(join(root, 'source'));
  const { cohort: found } = await assembled(folder, join(root, 'source'));
  const died = found.visitFacts['died_in_hospital']?.values ?? [];
  const dead = [1, 4].map((patient) => (cohort.visitOffsets[patient + 1] as number) - 1);
  t.deepEqual(
    Array.from(died, Number),
    Array.from(died, (_, visit) => (dead.includes(visit) ? 1 : 0)),
  );
});
