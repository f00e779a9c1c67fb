import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { demoFolder } from '../../../helpers/mimic-folder.ts';
import { tempFolder } from '../../../helpers/temp-folder.ts';
import { put, putParquet, read, writers } from './layouts.ts';

const wanted = {
  visitOffsets: Int32Array.of(0, 1, 3, 4),
  codeOffsets: Int32Array.of(0, 3, 4, 6, 7),
  codes: Int32Array.of(0, 2, 5, 4, 3, 6, 1),
};
const codes = ['dx:0389', 'dx:4280', 'dx:99591', 'dx:E8788', 'dx:V4581', 'px:0066', 'px:9604'];

for (const [name, write] of Object.entries(writers))
  test(`the small cohort comes out the same: ${name}`, async (t) => {
    const folder = await tempFolder(t);
    const { layout, cohort } = await read(folder, await write(t, folder), ['dx', 'px']);
    t.true(name.startsWith(layout));
    t.deepEqual(
      cohort.vocabulary.codes.map(({ modality, code }) => `${modality}:${code}`),
      codes,
    );
    const { visitOffsets, codeOffsets, codes: tokens } = cohort;
    t.deepEqual({ visitOffsets, codeOffsets, codes: tokens }, wanted);
    t.deepEqual(await readdir(join(folder, 'scratch')), [], 'scratch files are gone');
  });

test('the demo folder is what a run makes of it: patients, visits, labels, titles', async (t) => {
  const { cohort } = await read(await tempFolder(t), demoFolder, ['dx']);
  t.is(cohort.visitOffsets.length - 1, 100);
  t.is(cohort.codeOffsets.length - 1, 129);
  t.is(cohort.vocabulary.codes.length, 581);
  t.is(cohort.vocabulary.labels.length, 25);
  t.true(cohort.labelsNamed);
  t.is(cohort.split, undefined);
  t.is(
    cohort.vocabulary.codes.find(({ code }) => code === '4280')?.title,
    'Congestive heart failure, unspecified',
  );
});

test('labels come along: by position in JSON and PyHealth, by name where they have one', async (t) => {
  const folder = await tempFolder(t);
  const patient = (labels: unknown[]) => ({ visits: [[1]], labels });
  const bare = await put(folder, 'bare.json', JSON.stringify([patient([1, 0]), patient([false, true])]));
  const { cohort } = await read(folder, bare);
  t.deepEqual(cohort.labels, Uint8Array.of(1, 0, 0, 1));
  t.deepEqual([cohort.vocabulary.labels, cohort.labelsNamed], [['label 0', 'label 1'], false]);

  const frame = await put(folder, 'frame.csv', 'id,time,visit_codes,labels\nb,0,1,0\na,0,1,0\nb,1,2,1\n');
  const own = (await read(folder, frame)).cohort;
  t.deepEqual(own.labels, Uint8Array.of(0, 1), 'a patient has the highest label of all rows');

  const table = await put(
    folder,
    'long.csv',
    'patient,visit,code,label:Sepsis,label:Gout\n7,0,1,1,0\n8,0,1,0,0\n',
  );
  const long = (await read(folder, table)).cohort;
  t.deepEqual(long.vocabulary.labels, ['Gout', 'Sepsis']);
  t.deepEqual(long.labels, Uint8Array.of(0, 1, 0, 0));
});

test('patients without visits and visits without codes live on in JSON and in our own table', async (t) => {
  const folder = await tempFolder(t);
  const json = await put(folder, 'a.json', JSON.stringify([{ visits: [[1], []] }, { visits: [] }]));
  const table = await put(folder, 'a.csv', 'patient,visit,code\n1,0,1\n1,1,\n2,,\n');
  for (const path of [json, table]) {
    const { cohort } = await read(folder, path);
    t.deepEqual(cohort.visitOffsets, Int32Array.of(0, 2, 2), path);
    t.deepEqual(cohort.codeOffsets, Int32Array.of(0, 1, 1), path);
  }
});

test('numbers sort as numbers: patients 2 and 10, visits 2 and 10', async (t) => {
  const folder = await tempFolder(t);
  const frame = 'id,time,visit_codes,labels\n10,0,x,0\n2,10,y,0\n2,2,z,0\n';
  const { cohort } = await read(folder, await put(folder, 'frame.csv', frame));
  t.deepEqual(
    cohort.vocabulary.codes.map(({ code }) => code),
    ['x', 'y', 'z'],
  );
  t.deepEqual(cohort.codes, Int32Array.of(2, 1, 0));
});

test('codes repeated inside a visit count once, and that is told', async (t) => {
  const folder = await tempFolder(t);
  const { cohort } = await read(folder, await put(folder, 'a.json', '[{"visits": [[3, "3", 1, 3]]}]'));
  t.deepEqual(cohort.codes, Int32Array.of(0, 1));
  t.regex(cohort.notes.join(), /^2 codes were repeated/);
});

test('other modalities go, with visits and patients that had nothing else; what was empty before stays', async (t) => {
  const folder = await tempFolder(t);
  const patients = [
    { visits: [['lab:1'], ['2', 'rx:3']], labels: [0] },
    { visits: [['lab:1']], labels: [1] },
    { visits: [], labels: [1] },
  ];
  const { cohort } = await read(folder, await put(folder, 'a.json', JSON.stringify(patients)), [
    'dx',
    'px',
    'rx',
  ]);
  t.deepEqual(cohort.visitOffsets, Int32Array.of(0, 1, 1));
  t.deepEqual(cohort.labels, Uint8Array.of(0, 1));
  t.deepEqual(
    cohort.vocabulary.codes.map(({ modality }) => modality),
    ['dx', 'rx'],
  );
  t.regex(cohort.notes.join(), /1 lab\), and with them fewer than 11 visits and fewer than 11 patients/);
});

test('MEDS: drugs and tests are found, events without a visit fall to the stay of their day, titles and splits come along', async (t) => {
  const folder = await tempFolder(t);
  const day = (d: number, hour = 12) => `TIMESTAMP '2100-01-0${d} ${hour}:00:00'`;
  const rows = [
    `1, ${day(1)}, 'HOSPITAL_ADMISSION//EW', NULL, 5`,
    `1, ${day(3)}, 'HOSPITAL_DISCHARGE//HOME', NULL, 5`,
    `1, ${day(3)}, 'DIAGNOSIS//ICD//10//E119', NULL, 5`,
    `1, ${day(1, 10)}, 'MEDICATION//START//Aspirin  EC//0001', NULL, NULL`,
    `1, ${day(2)}, 'MEDICATION//STOP//Aspirin  EC//0001', NULL, NULL`,
    `1, ${day(2)}, 'LAB//RESULT//50912//mg/dL', 1.5, NULL`,
    `1, ${day(8)}, 'LAB//50931//mg/dL', 1.5, NULL`,
    `2, ${day(4)}, 'ICD9CM/250.00', NULL, 6`,
  ];
  await putParquet(folder, 'm/data/0.parquet', 'subject_id, time, code, numeric_value, hadm_id', rows);
  await putParquet(folder, 'm/metadata/codes.parquet', 'code, description', ["'ICD9CM/250.00', 'Diabetes'"]);
  await putParquet(folder, 'm/metadata/subject_splits.parquet', 'subject_id, split', [
    "2, 'held_out'",
    "1, 'train'",
  ]);
  const { cohort } = await read(folder, join(folder, 'm'));
  t.deepEqual(cohort.vocabulary.codes, [
    { modality: 'dx', code: '25000', title: 'Diabetes' },
    { modality: 'dx', code: 'ICD10:E119' },
    { modality: 'rx', code: 'aspirin ec' },
    { modality: 'lab', code: '50912' },
  ]);
  t.deepEqual(cohort.codes, Int32Array.of(1, 2, 3, 0));
  t.deepEqual(cohort.visitOffsets, Int32Array.of(0, 1, 2));
  t.deepEqual(cohort.split, Uint8Array.of(0, 2));
  t.regex(cohort.notes.join(), /hadm_id.*HOSPITAL_ADMISSION 1.*/);
});
