import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { startBackend } from '../../infra/backend.ts';
import { importCommand } from '../../infra/cli/import.ts';
import { readModelFolder } from '../../pipelines/exchange/models/model-folder.ts';
import { readVocabularyFile } from '../../pipelines/exchange/models/vocabulary-file.ts';
import { modelCard } from '../../pipelines/generation/model-file.ts';
import promptehr from '../../pipelines/generators/promptehr.ts';
import { openModel } from '../../pipelines/generators/registry.ts';
import { decodeSafetensors, encodeSafetensors } from '../../pipelines/kernel/safetensors.ts';
import { drainAsync } from '../../pipelines/kernel/steps.ts';
import { type FailureCode, StageError } from '../../schemas/errors.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { goldenHalo, openTiny } from '../pipelines/generators/halo/network/golden.ts';

const weights = fileURLToPath(new URL('../fixtures/golden/halo_tiny_weights.safetensors', import.meta.url));
const codes = Array.from({ length: 32 }, (_, i) => `${400 + i}`);

/** Runs the command as a process would, in this one. */
const imported = async (options: Record<string, unknown>) => {
  const said = { out: '', err: '' };
  const io = {
    json: false,
    out: (text: string) => {
      said.out += `${text}\n`;
    },
    err: (text: string) => {
      said.err += `${text}\n`;
    },
    signal: new AbortController().signal,
  };
  const given = { generator: 'halo', file: weights, seed: 0, force: false, ...options };
  const told = await importCommand.run(given as Parameters<typeof importCommand.run>[0], io);
  return { told, ...said };
};

const vocabularyIn = async (folder: string, content: unknown): Promise<string> => {
  const file = join(folder, 'vocabulary.json');
  await writeFile(file, JSON.stringify(content));
  return file;
};

test.before(() => startBackend());

test('a HALO checkpoint scores the golden patients as its own code does', async (t) => {
  const folder = await tempFolder(t);
  const vocabulary = await vocabularyIn(folder, { codes, labels: ['a', 'b', 'c', 'd', 'e'] });
  const out = join(folder, 'model');
  const { out: said, err } = await imported({ vocabulary, out, heads: 2, maxVisits: 6 });
  t.regex(said, /halo: 32 codes, 5 labels, \d+ parameters/);
  t.is(err, '');
  t.deepEqual((await readdir(folder)).sort(), ['model', 'vocabulary.json']);
  const model = await readModelFolder(out);
  const golden = await goldenHalo();
  const sampler = await openModel(model);
  const scores = await drainAsync(sampler.score?.(golden.columns) ?? t.fail());
  golden.membership_log_prob_per_patient.forEach((expected, patient) => {
    const found = scores.reference?.logProbability[patient] ?? Number.NaN;
    t.true(Math.abs(found - expected) < 1e-4 * Math.abs(expected), `patient ${patient}: ${found}`);
  });
  t.is((await sampler.sample({ first: 0, count: 3, seed: 1 })).visitOffsets.length, 4);
  sampler.dispose();
  const card = modelCard.parse(JSON.parse(await readFile(join(out, 'model.json'), 'utf8')));
  const network = await openTiny(64);
  t.is(card.parameters, network.parameters);
  network.dispose();
  t.deepEqual(card.settings, {
    layers: 2,
    heads: 2,
    embedding: 32,
    maxVisits: 6,
    importedFrom: 'halo_tiny_weights.safetensors',
    importedSha256: createHash('sha256')
      .update(await readFile(weights))
      .digest('hex'),
  });
});

test('wrapped names, half precision and what is only a mask are understood', async (t) => {
  const folder = await tempFolder(t);
  const { arrays } = decodeSafetensors(await readFile(weights));
  const mask = { shape: [1, 1, 8, 8], data: new Float32Array(64) };
  const file = join(folder, 'wrapped.safetensors');
  const wrapped = Object.entries({ ...arrays, 'transformer.h.0.attn.bias': mask }).map(
    ([name, array]) => [`module.${name}`, array] as const,
  );
  await writeFile(file, encodeSafetensors(Object.fromEntries(wrapped)));
  const vocabulary = await vocabularyIn(folder, codes);
  const out = join(folder, 'model');
  const { err } = await imported({ file, vocabulary, out, heads: 2 });
  t.regex(err, /names no labels: the 5 of the weights are called label 0/);
  const model = await readModelFolder(out);
  t.deepEqual(model.vocabulary.labels, ['label 0', 'label 1', 'label 2', 'label 3', 'label 4']);
  const { settings } = modelCard.parse(JSON.parse(await readFile(join(out, 'model.json'), 'utf8')));
  t.is(settings['maxVisits'], 6, 'as long as the mask of the reference');
});

test('what does not fit is told in numbers, and nothing is left behind', async (t) => {
  const folder = await tempFolder(t);
  const vocabulary = await vocabularyIn(folder, { codes, labels: [] });
  const out = join(folder, 'model');
  const { arrays } = decodeSafetensors(await readFile(weights));
  const broken = async (name: string, tensors: typeof arrays) => {
    const file = join(folder, `${name}.safetensors`);
    await writeFile(file, encodeSafetensors(tensors));
    return { file };
  };
  const bias = { shape: [4], data: new Float32Array(4) };
  const nan = { shape: [32], data: new Float32Array(32).fill(Number.NaN) };
  const { 'ehr_head.auto1.weight': _, ...headless } = arrays;
  const cases: [options: object, code: FailureCode, message: RegExp][] = [
    [{}, 'SourceMalformed', /cannot be seen in its weights \(embedding 32\): give --heads/],
    [{ heads: 5 }, 'SourceMalformed', /5 heads do not divide the embedding of 32/],
    [{ heads: 2, maxVisits: 9 }, 'SourceMalformed', /9 visits need 11 positions, from 3 to the 10/],
    [
      { heads: 2, vocabulary: await vocabularyIn(await tempFolder(t), [...codes, ...'abcdefgh']) },
      'SourceMalformed',
      /40 columns: .* 40 codes and 0 labels, which make 43/,
    ],
    [
      { heads: 2, ...(await broken('bias', { ...arrays, 'ehr_head.auto1.bias': bias })) },
      'SourceMalformed',
      /ehr_head\.auto1\.bias is \[4\], expected \[72\]/,
    ],
    [
      { heads: 2, ...(await broken('head', headless)) },
      'SourceMalformed',
      /ehr_head\.auto1\.weight is missing/,
    ],
    [
      { heads: 2, ...(await broken('nan', { ...arrays, 'transformer.ln_f.bias': nan })) },
      'SourceMalformed',
      /ln_f\.bias holds a value that is not finite/,
    ],
    [
      { heads: 2, ...(await broken('other', { bias })) },
      'SourceMalformed',
      /no weights of HALO: expected a matrix .* found bias/,
    ],
    [{ tokenizer: vocabulary }, 'InvalidUsage', /no option of its import "tokenizer" .*heads, maxVisits/],
    [{ generator: 'marginal' }, 'InvalidUsage', /no generator with weights to import "marginal".*halo/],
    [{ file: join(folder, 'none') }, 'SourceMissing', /checkpoint none cannot be read/],
    [{ file: vocabulary }, 'ArtifactCorrupt', /not a safetensors file/],
  ];
  for (const [options, code, message] of cases) {
    const error = await t.throwsAsync(imported({ vocabulary, out, ...options }), { instanceOf: StageError });
    t.is(error?.code, code);
    t.regex(error?.message ?? '', message);
  }
  t.false((await readdir(folder)).includes('model'));
});

test('a vocabulary is a list, or numbers in either direction', async (t) => {
  const folder = await tempFolder(t);
  const read = async (content: unknown) => readVocabularyFile(await vocabularyIn(folder, content));
  const expected = [
    { modality: 'dx', code: '4019' },
    { modality: 'px', code: '9604' },
  ];
  t.deepEqual(await read(['4019', 'px:9604']), { codes: expected, labels: [] } as never);
  t.deepEqual(
    (await read({ codes: { 'px:9604': 1, '4019': 0 }, labels: ['sepsis'] })).codes,
    expected as never,
  );
  t.deepEqual((await read({ 1: 'px:9604', 0: '4019' })).codes, expected as never);
  const ours = { codes: [{ modality: 'dx', code: '4019', title: 'Hypertension' }], labels: ['x'] };
  t.deepEqual(await read(ours), ours as never);
  t.deepEqual(await read({ 'dx:4019': 'Hypertension', 'px:9604': 'Insertion' }), {
    codes: [
      { modality: 'dx', code: '4019', title: 'Hypertension' },
      { modality: 'px', code: '9604', title: 'Insertion' },
    ],
    labels: [],
  } as never);
  const tokens = { '<s>': 0, '</s>': 2, '<diag>': 9, '</diag>': 10, diag_0: 11 };
  const names = { diag_0: '4019' };
  const own = async (content: unknown) =>
    readVocabularyFile(await vocabularyIn(folder, content), promptehr.importCheckpoint?.vocabulary);
  t.deepEqual(await own(tokens), { tokens });
  t.deepEqual(await own({ tokens, names, features: 7 }), { tokens, names, features: 7 });
  t.deepEqual(await own(['4019', 'px:9604']), { codes: expected, labels: [] });
  for (const [content, message] of [
    [{ a: 0, b: 2 }, /2 codes should be numbered 0 to 1, each once; found a number 2/],
    [{ a: 1, b: 1 }, /found 1 twice/],
    [['a', 'dx:a'], /1 of its 2 codes are there twice/],
    [7, /is no vocabulary: expected/],
    [{ codes: ['a'], labels: [''] }, /is no vocabulary: expected/],
  ] as const)
    await t.throwsAsync(read(content), { code: 'SourceMalformed', message });
  await t.throwsAsync(readVocabularyFile(join(folder, 'none')), { code: 'SourceMissing' });
});
