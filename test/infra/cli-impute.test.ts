import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { z } from 'zod';
import { imputeCommand } from '../../infra/cli/impute.ts';
import { encodeModel } from '../../pipelines/generation/model-file.ts';
import marginal from '../../pipelines/generators/marginal.ts';
import { openDatabase } from '../../pipelines/kernel/duckdb.ts';
import type { VisitColumns } from '../../pipelines/patients/visit-columns.ts';
import type { Vocabulary } from '../../schemas/vocabulary.ts';
import { understudyHere } from '../helpers/cli-here.ts';
import { noPatients } from '../helpers/patients.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { columnsAsWritten } from '../pipelines/metrics/golden-cohorts.ts';

const understudy = (args: string[]) => understudyHere(args, [imputeCommand]);
const demoFolder = fileURLToPath(new URL('../fixtures/mimic3-demo', import.meta.url));

const vocabulary: Vocabulary = {
  codes: [
    { modality: 'dx', code: '4019', title: 'Hypertension, "essential"' },
    { modality: 'dx', code: '25000' },
    { modality: 'px', code: '9604' },
    { modality: 'rx', code: 'aspirin' },
  ],
  labels: ['Sepsis'],
};

/** Hypertension in all four visits, diabetes in three, a procedure in two, aspirin in one. */
const trained: VisitColumns = columnsAsWritten([
  {
    visits: [
      [0, 1, 2, 3],
      [0, 1, 2],
    ],
    labels: [1],
  },
  { visits: [[0, 1], [0]], labels: [0] },
]);

const modelIn = async (folder: string): Promise<string> => {
  const fitting = await marginal.fit({ vocabulary, train: trained, validation: noPatients }, {}, 0);
  await fitting.step();
  const card = {
    generator: 'marginal',
    version: marginal.version,
    config: {},
    settings: {},
    seed: 0,
    parameters: 5,
  };
  const files = await encodeModel({ card, vocabulary, curve: [], saved: await fitting.model() });
  const place = join(folder, 'model');
  await mkdir(place);
  for (const [name, content] of Object.entries(files)) await writeFile(join(place, name), content);
  return place;
};

const prepared = async (t: ExecutionContext, patients: unknown) => {
  const folder = await tempFolder(t);
  const model = await modelIn(folder);
  const input = join(folder, 'patients.json');
  await writeFile(input, JSON.stringify(patients));
  const impute = (...args: string[]) => understudy(['impute', '--model', model, '--input', input, ...args]);
  return { folder, model, input, impute };
};

const row = z.object({
  patient: z.int(),
  visit: z.int(),
  kind: z.string(),
  code: z.string(),
  title: z.string().nullable(),
  probability: z.number(),
});
const rowsOf = async (file: string) => z.array(row).parse(JSON.parse(await readFile(file, 'utf8')));
const short = ({ patient, visit, kind, code, probability }: z.output<typeof row>) =>
  [patient, visit, kind, code, probability].join(' ');

test('further codes, the next visit, another kind: likeliest first, unknown codes passed over', async (t) => {
  const { folder, impute } = await prepared(t, [
    { visits: [['4019', 'strange'], ['other']], labels: [0] },
    { visits: [], labels: [1] },
    { visits: [['px:9604']], labels: [0] },
  ]);
  const out = join(folder, 'found.json');
  const first = await impute('--task', 'completion', '--out', out);
  t.is(first.exit, 0, first.err);
  t.regex(first.err, /does not know 2 codes of these patients \(2 of 4 occurrences\)/);
  t.regex(first.out, /marginal, completion: 10 codes for 3 patients with 3 visits, read as json/);
  const rows = await rowsOf(out);
  t.deepEqual(rows.map(short), [
    '0 0 dx 25000 0.75',
    '0 0 px 9604 0.5',
    '0 0 rx aspirin 0.25',
    '0 1 dx 4019 1',
    '0 1 dx 25000 0.75',
    '0 1 px 9604 0.5',
    '0 1 rx aspirin 0.25',
    '2 0 dx 4019 1',
    '2 0 dx 25000 0.75',
    '2 0 rx aspirin 0.25',
  ]);
  t.is(rows[3]?.title, 'Hypertension, "essential"');
  t.is(rows[0]?.title, null);

  const next = join(folder, 'next.json');
  const second = await impute(
    '--task',
    'next-visit',
    '--kinds',
    'dx,px',
    '--top',
    '1',
    '--out',
    next,
    '--json',
  );
  t.deepEqual(
    (await rowsOf(next)).map(short),
    [
      ['0 2 dx 4019 1', '0 2 px 9604 0.5'],
      ['1 0 dx 4019 1', '1 0 px 9604 0.5'],
      ['2 1 dx 4019 1', '2 1 px 9604 0.5'],
    ].flat(),
  );
  const told = JSON.parse(second.out);
  t.is(told.rows, 6);
  t.is(told.file, next);

  const cross = join(folder, 'cross.json');
  await impute('--task', 'cross-modal', '--kinds', 'dx', '--out', cross);
  t.is((await rowsOf(cross)).length, 6, 'its own codes are ignored');
});

test('the same table as CSV, Parquet and JSON', async (t) => {
  const { folder, impute } = await prepared(t, [{ visits: [['25000']] }]);
  const scratch = join(folder, 'scratch');
  await mkdir(scratch);
  const tables: unknown[] = [];
  for (const name of ['a.csv', 'b.parquet', 'c.json']) {
    const { exit, err } = await impute('--task', 'completion', '--out', join(folder, name));
    t.is(exit, 0, err);
    t.regex(err, /do not tell the labels of the model/);
  }
  t.is(
    (await readFile(join(folder, 'a.csv'), 'utf8')).split('\n')[1],
    '0,0,dx,4019,"Hypertension, ""essential""",1.0',
  );
  const database = await openDatabase(scratch, [folder]);
  for (const reader of [
    `read_csv('${folder}/a.csv', types = {'code': 'VARCHAR'})`,
    `'${folder}/b.parquet'`,
    `read_json('${folder}/c.json', columns = {patient: 'INTEGER', visit: 'INTEGER', kind: 'VARCHAR', code: 'VARCHAR', title: 'VARCHAR', probability: 'FLOAT'})`,
  ])
    tables.push(await database.rows(`SELECT * FROM ${reader}`));
  database.close();
  t.is((tables[0] as unknown[]).length, 3);
  t.deepEqual(tables[1], tables[0]);
  t.deepEqual(tables[2], tables[0]);
});

test('a folder of MIMIC tables: most codes are strange to a small model, and that is said', async (t) => {
  const { folder, model } = await prepared(t, []);
  const out = join(folder, 'demo.csv');
  const args = ['--model', model, '--input', demoFolder, '--task', 'completion', '--out', out];
  const { exit, err, out: said } = await understudy(['impute', ...args]);
  t.is(exit, 0, err);
  t.regex(err, /the model does not know \d+ codes of these patients/);
  t.regex(said, /for 100 patients with 129 visits, read as mimic-iii/);
});

test('what cannot be asked is told, and nothing is left behind', async (t) => {
  const { folder, input, impute } = await prepared(t, [{ visits: [['4019']] }]);
  const strange = join(folder, 'strange.json');
  await writeFile(strange, JSON.stringify([{ visits: [['a', 'b']] }]));
  const out = join(folder, 'found.csv');
  const completion = ['--task', 'completion', '--out', out];
  const cases: [args: string[], exit: number, message: RegExp][] = [
    [['--task', 'cross-modal', '--out', out], 64, /name it, one of dx, px, rx/],
    [['--task', 'guess', '--out', out], 64, /--task/],
    [
      ['--task', 'completion', '--out', join(folder, 'found.xlsx')],
      64,
      /should end in \.parquet, \.csv, \.json/,
    ],
    [['--kinds', 'lab', ...completion], 64, /knows no lab code; it knows dx, px, rx/],
    [['--kinds', 'drugs', ...completion], 64, /there is no kind "drugs"/],
    [['--demographics', 'sex=F', ...completion], 64, /was fitted to no demographics, so it cannot take sex/],
    [['--demographics', 'old', ...completion], 64, /expected NAME=VALUE, such as sex=F/],
    [['--task', 'completion', '--out', input], 64, /is there already: .*--force/],
  ];
  const ended = await Promise.all(cases.map(([args]) => impute(...args)));
  ended.forEach(({ exit, err }, i) => {
    const [args, wanted, message] = cases[i] as (typeof cases)[number];
    t.is(exit, wanted, `${args.join(' ')}: ${err}`);
    t.regex(err, message);
  });
  const model = join(folder, 'model');
  const none = await understudy(['impute', '--model', model, '--input', strange, ...completion]);
  t.is(none.exit, 65);
  t.regex(none.err, /knows none of the 2 codes of these patients/);
  const absent = await understudy([
    'impute',
    '--model',
    `model:${'0'.repeat(64)}`,
    '--input',
    input,
    ...completion,
  ]);
  t.is(absent.exit, 66, absent.err);
  t.deepEqual((await readdir(folder)).sort(), ['model', 'patients.json', 'strange.json']);
});
