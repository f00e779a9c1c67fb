import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'ava';
import { withPlantedCopies } from '../../infra/demo/invented.ts';
import { writeInventedTables } from '../../infra/demo/invented-tables.ts';
import { codesOfPatient, patientCount, type TokenCohort } from '../../pipelines/patients/visit-columns.ts';
import { recordsOf } from '../helpers/patients.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const linesOf = async (file: string): Promise<string[][]> => {
  const lines: string[][] = [];
  for await (const line of createInterface({ input: createReadStream(file) })) lines.push(line.split(','));
  return lines;
};

test('invented tables: the keys fit, chronic codes come back, more patients begin with the same ones', async (t) => {
  const folder = await tempFolder(t);
  await writeInventedTables(join(folder, 'few'), { patients: 200, seed: 1 });
  await writeInventedTables(join(folder, 'more'), { patients: 300, seed: 1 });
  for (const name of await readdir(join(folder, 'few'))) {
    const few = await readFile(join(folder, 'few', name), 'utf8');
    t.true((await readFile(join(folder, 'more', name), 'utf8')).startsWith(few), name);
  }
  const rows = async (table: string) => (await linesOf(join(folder, 'few', `${table}.csv`))).slice(1);
  const patients = new Set((await rows('PATIENTS')).map(([, subject]) => subject));
  t.is(patients.size, 200);
  const admissions = new Map((await rows('ADMISSIONS')).map(([, subject, stay]) => [stay, subject]));
  t.true([...admissions.values()].every((subject) => patients.has(subject)));
  const diagnoses = await rows('DIAGNOSES_ICD');
  t.true(diagnoses.every(([, subject, stay]) => admissions.get(stay) === subject));
  const titles = new Set((await rows('D_ICD_DIAGNOSES')).map(([, code]) => code));
  t.true(diagnoses.every(([, , , , code]) => titles.has(code)));
  // A strong signal in time: most codes of a visit were in the visit before it, as they never are by chance.
  const visits = [...admissions].map(([stay, subject]) => ({
    subject,
    codes: new Set(diagnoses.filter(([, , of]) => of === stay).map(([, , , , code]) => code)),
  }));
  const shares = visits.slice(1).flatMap(({ subject, codes }, i) => {
    const before = visits[i];
    const shared = [...codes].filter((code) => before?.codes.has(code)).length / codes.size;
    return [{ same: before?.subject === subject, shared }];
  });
  const mean = (same: boolean) => {
    const of = shares.filter((share) => share.same === same);
    return of.reduce((sum, { shared }) => sum + shared, 0) / of.length;
  };
  t.true(mean(true) > 0.4 && mean(false) < 0.25, `${mean(true)} against ${mean(false)}`);
});

test('every tenth patient becomes a noisy copy of a training patient, and no other', (t) => {
  const codes = Array.from({ length: 40 }, (_, i) => i);
  const vocabulary = { codes: codes.map((i) => ({ modality: 'dx' as const, code: `${i}` })), labels: [] };
  const real: TokenCohort = {
    ...recordsOf([[codes.slice(0, 20)], [codes.slice(0, 20)], [codes.slice(20)]]),
    vocabulary,
    split: Uint8Array.of(2, 0, 0),
  };
  const synthetic: TokenCohort = { ...recordsOf(Array.from({ length: 25 }, () => [[39]])), vocabulary };
  const planted = withPlantedCopies(synthetic, real, 0);
  t.is(patientCount(planted), 25);
  const sizes = Array.from({ length: 25 }, (_, i) => codesOfPatient(planted, i).length);
  t.deepEqual(
    sizes.flatMap((size, i) => (size > 1 ? [i] : [])),
    [0, 10],
    'there are two training patients',
  );
  t.true(
    [...codesOfPatient(planted, 0)].every((code) => code < 20),
    'the first of them, not the holdout',
  );
  t.true([...codesOfPatient(planted, 10)].every((code) => code >= 20));
  const kept = (sizes[0] as number) + (sizes[10] as number);
  t.true(kept > 20 && kept < 40, `some of 40 codes are dropped: ${kept} are left`);
  t.deepEqual(withPlantedCopies(synthetic, real, 0), planted);
  t.is(sizes[1], 1);
});
