import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  type EvaluationRequest,
  evaluateCohorts,
} from '../../../../pipelines/exchange/evaluate/evaluate-cohorts.ts';
import { evaluationFiles } from '../../../../pipelines/exchange/evaluate/evaluation-report.ts';
import { cohortFromJson } from '../../../../pipelines/exchange/read/json-cohort.ts';
import { generatorConfig } from '../../../../pipelines/generation/generator.ts';
import { trainingData } from '../../../../pipelines/generation/training-data.ts';
import { generatorNamed } from '../../../../pipelines/generators/registry.ts';
import { encodeSaved } from '../../../../pipelines/kernel/safetensors.ts';
import { drainAsync } from '../../../../pipelines/kernel/steps.ts';
import { defineMetric } from '../../../../pipelines/metrics/metric.ts';
import labelPrevalence from '../../../../pipelines/metrics/similarity/label-prevalence.ts';
import type { TokenCohort } from '../../../../pipelines/patients/visit-columns.ts';
import { vocabularyDigest } from '../../../../pipelines/patients/vocabulary-digest.ts';
import type { ReportGenerator } from '../../../../pipelines/report/report-data.ts';
import { writeTokenCohort } from '../../../../pipelines/tokens/token-cohort-file.ts';
import { tempFolder } from '../../../helpers/temp-folder.ts';
import { put, putParquet } from '../read/layouts.ts';

const patient = (visits: string[][]) => ({ visits, labels: [1] });

/** Ten patients: six to train on, two to validate, two held out; tokens in an order of their own. */
const real = (): TokenCohort => {
  const patients = Array.from({ length: 10 }, (_, i) =>
    patient([
      ['b', 'a'],
      ['c', i % 2 ? 'a' : 'b'],
    ]),
  );
  const {
    notes: _notes,
    labelsNamed: _named,
    ...cohort
  } = cohortFromJson({ patients, labels: ['x'] }, 'real');
  const codes = [...cohort.vocabulary.codes].reverse();
  const flipped = cohort.codes.map((token) => 2 - token);
  for (let v = 0; v < cohort.codeOffsets.length - 1; v++)
    flipped.subarray(cohort.codeOffsets[v], cohort.codeOffsets[v + 1]).sort();
  return {
    ...cohort,
    codes: flipped,
    vocabulary: { codes, labels: ['x'] },
    split: Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 1, 2, 2),
  };
};

const putCohort = async (folder: string, name: string, cohort: TokenCohort): Promise<string> => {
  const write = async (file: string, content: string | Uint8Array) =>
    writeFile(await put(folder, `${name}/${file}`, ''), content);
  await writeTokenCohort({ write }, cohort);
  return join(folder, name);
};

const putModel = async (folder: string, cohort: TokenCohort): Promise<string> => {
  const marginal = generatorNamed('marginal');
  const { vocabulary } = cohort;
  const fitting = await marginal.fit(trainingData(cohort), generatorConfig(marginal, {}), 0);
  while (!fitting.finished) await fitting.step();
  const card = {
    generator: 'marginal',
    version: 1,
    config: {},
    settings: {},
    seed: 0,
    vocabulary: vocabularyDigest(vocabulary),
    tokens: 3,
    parameters: 0,
  };
  await put(folder, 'model/model.json', JSON.stringify(card));
  await put(folder, 'model/vocabulary.json', JSON.stringify(vocabulary));
  await put(folder, 'model/curve.json', '[]');
  await writeFile(join(folder, 'model/weights.safetensors'), encodeSaved(await fitting.model()));
  fitting.dispose();
  return join(folder, 'model');
};

/** Tells what it was given. */
const sizes = defineMetric({
  name: 'sizes',
  family: 'similarity',
  title: 'Sizes',
  about: 'How many patients each side has, and how many codes a drawn one.',
  better: 'higher',
  range: [0, Number.POSITIVE_INFINITY],
  needs: ['train'],
  reference: 'none',
  async *compute({ train, validation, holdout, synthetic, model, vocabulary }) {
    const parties = { train, validation, holdout, synthetic };
    const rows = Object.entries(parties).map(([row, { visitOffsets }]) => ({
      row,
      title: row,
      value: visitOffsets.length - 1,
      n: vocabulary.codes.length,
    }));
    if (!model) return { rows };
    const sampler = await model();
    const { codes } = await sampler.sample({ first: 0, count: 50, seed: 1 });
    sampler.dispose();
    yield { step: 1, of: 1 };
    return { rows: [...rows, { row: 'drawn', title: 'drawn', value: Math.max(...codes), n: codes.length }] };
  },
});

const judge = async (
  t: ExecutionContext,
  request: Partial<EvaluationRequest> & Pick<EvaluationRequest, 'paths'>,
) => {
  const scratch = join(await tempFolder(t), 'scratch');
  const rest = {
    metrics: [sizes],
    modalities: ['dx'] as const,
    seed: 0,
    replicates: 0,
    suppressBelow: 0,
    baseline: 'none' as const,
    scratch,
  };
  const scored = await drainAsync(evaluateCohorts({ ...rest, ...request }));
  const { card, ...evaluation } = scored;
  return {
    ...evaluation,
    scored,
    card,
    values: Object.fromEntries(card.rows.map(({ row, value }) => [row, value])),
  };
};

test('a cohort with a split gives its parts; without --test its holdout is the test', async (t) => {
  const folder = await tempFolder(t);
  const whole = await putCohort(folder, 'real', real());
  const synthetic = await put(folder, 'mine.json', JSON.stringify([patient([['a']])]));
  const alone = await judge(t, { paths: { train: whole, synthetic } });
  t.like(alone.values, { train: 6, validation: 2, holdout: 2, synthetic: 1 });
  t.is(alone.card.generator, 'mine');
  const both = await judge(t, { paths: { train: whole, test: whole, synthetic } });
  t.like(both.values, { train: 6, validation: 2, holdout: 2 });
  t.deepEqual(both.notes, []);
  const held = await putCohort(folder, 'held', { ...real(), split: new Uint8Array(10) });
  await t.throwsAsync(judge(t, { paths: { train: whole, test: held, synthetic } }), {
    name: 'SourceMalformed',
    message: 'test brings a split of its patients, and its holdout part is empty',
  });
});

test('with a model the tokens are those of the model, whatever the order of codes on the sides', async (t) => {
  const folder = await tempFolder(t);
  const model = await putModel(folder, real());
  const patients = Array.from({ length: 4 }, () => patient([['a', 'b']]));
  const train = await put(folder, 'train.json', JSON.stringify({ patients, labels: ['x'] }));
  const { values, vocabulary, card } = await judge(t, { paths: { train, synthetic: train }, model });
  t.deepEqual(
    vocabulary.codes.map(({ code }) => code),
    ['c', 'b', 'a'],
  );
  t.is(values['drawn'], 2);
  t.is(card.generator, 'marginal');
});

test('a model is refused when it does not know all codes, or is no model', async (t) => {
  const folder = await tempFolder(t);
  const model = await putModel(folder, real());
  const train = await put(folder, 'train.json', JSON.stringify([patient([['a', 'z']])]));
  await t.throwsAsync(judge(t, { paths: { train, synthetic: train }, model }), {
    name: 'InvalidConfig',
    message: /\(marginal\) knows 3 codes, and these cohorts have 1 more/,
  });
  await put(folder, 'model/vocabulary.json', JSON.stringify({ codes: [], labels: [] }));
  await t.throwsAsync(judge(t, { paths: { train, synthetic: train }, model }), {
    name: 'SourceMalformed',
    message: /vocabulary\.json is not the vocabulary that model\.json names/,
  });
  await put(folder, 'model/model.json', '{}');
  await t.throwsAsync(judge(t, { paths: { train, synthetic: train }, model }), { name: 'SourceMalformed' });
});

const medsColumns = 'subject_id, time, code';
const event = (subject: number, code: string) => `${subject}, TIMESTAMP '2020-01-01 08:00:00', '${code}'`;

test('MEDS: diagnoses define the phenotypes, on every side that tells no labels', async (t) => {
  const folder = await tempFolder(t);
  const rows = [
    event(1, 'ICD9CM//584.9'),
    event(2, 'ICD9CM//038.9'),
    event(3, 'ICD9CM//038.9'),
    event(3, 'ICD9CM//V30.00'),
  ];
  await putParquet(folder, 'meds/data/0.parquet', medsColumns, rows);
  const patients = [['5849'], ['5849'], ['V3000']].map((visit) => ({ visits: [visit] }));
  const synthetic = await put(folder, 'mine.json', JSON.stringify(patients));
  const paths = { train: join(folder, 'meds'), synthetic };
  const { card, vocabulary, sides } = await judge(t, { paths, metrics: [labelPrevalence] });
  t.is(vocabulary.labels.length, 25);
  const share = (label: string) => {
    const row = card.rows.find((found) => found.row === `label: ${label}`);
    return [row?.real, row?.value];
  };
  t.deepEqual(share('Acute and unspecified renal failure'), [1 / 3, 2 / 3]);
  t.deepEqual(share('Septicemia (except in labor)'), [2 / 3, 0]);
  t.true(sides.every(({ notes }) => notes.some((note) => /25 phenotypes/.test(note))));
});

test('MEDS: no labels where diagnoses are in another system, or another side has labels of its own', async (t) => {
  const folder = await tempFolder(t);
  await putParquet(folder, 'ten/data/0.parquet', medsColumns, [event(1, 'ICD10CM//N17.9')]);
  await putParquet(folder, 'nine/data/0.parquet', medsColumns, [event(1, 'ICD9CM//584.9')]);
  const ten = join(folder, 'ten');
  t.is((await judge(t, { paths: { train: ten, synthetic: ten } })).vocabulary.labels.length, 0);
  const own = await put(folder, 'own.json', JSON.stringify([{ visits: [['5849']], labels: [1] }]));
  const mixed = await judge(t, { paths: { train: join(folder, 'nine'), synthetic: own } });
  t.is(mixed.vocabulary.labels.length, 0);
  t.regex(mixed.notes.join(), /train tell no labels/);
});

test('the baseline is fitted to train, as large as the cohort, and scored by what trains nothing', async (t) => {
  const folder = await tempFolder(t);
  const whole = await putCohort(folder, 'real', real());
  const synthetic = await put(folder, 'mine.json', JSON.stringify(Array(7).fill(patient([['a']]))));
  const trains = { ...sizes, name: 'trains', trains: true as const };
  const sums = { ...sizes, name: 'sums', needs: ['rows' as const] };
  const request = { paths: { train: whole, synthetic }, metrics: [sizes, trains, sums] };
  const cheap = await judge(t, { ...request, baseline: 'cheap' });
  t.is(cheap.baseline?.card.generator, 'marginal');
  t.like(Object.fromEntries((cheap.baseline?.card.rows ?? []).map(({ row, value }) => [row, value])), {
    train: 6,
    validation: 2,
    holdout: 2,
    synthetic: 7,
  });
  t.deepEqual([...new Set(cheap.baseline?.card.rows.map(({ metric }) => metric))], ['sizes']);
  const all = await judge(t, { ...request, baseline: 'all' });
  t.deepEqual([...new Set(all.baseline?.card.rows.map(({ metric }) => metric))], ['sizes', 'trains', 'sums']);
  t.deepEqual((await judge(t, { ...request, baseline: 'cheap' })).baseline, cheap.baseline);
  t.is((await judge(t, request)).baseline, undefined);
});

test('a cohort called marginal, by its file or its header, is no baseline; one is scored beside it', async (t) => {
  const folder = await tempFolder(t);
  const train = await putCohort(folder, 'real', real());
  const file = await put(folder, 'marginal.json', JSON.stringify([patient([['a']])]));
  const { split: _split, ...cohort } = real();
  const artifact = await putCohort(folder, 'artifact', { ...cohort, generator: 'marginal' });
  for (const synthetic of [file, artifact]) {
    const { scored } = await judge(t, { paths: { train, synthetic }, baseline: 'all' });
    t.like(scored.card, { generator: 'marginal', baseline: undefined });
    t.like(scored.baseline?.card, { generator: 'marginal (baseline)', baseline: true });
    const setting = { title: 'Evaluation', suppressBelow: 0, params: {}, code: '', engine: '' };
    const page = JSON.parse(evaluationFiles(scored, setting).files['report.json'] ?? '');
    t.deepEqual(
      page.generators.map(({ name, isBaseline }: ReportGenerator) => [name, isBaseline]),
      [
        ['marginal', false],
        ['marginal (baseline)', true],
      ],
    );
  }
});
