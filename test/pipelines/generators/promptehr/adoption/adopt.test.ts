import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import { importCheckpoint } from '../../../../../pipelines/exchange/models/import-checkpoint.ts';
import { readModelFolder } from '../../../../../pipelines/exchange/models/model-folder.ts';
import {
  packSequences,
  type SpanBatch,
} from '../../../../../pipelines/generators/promptehr/network/sequences.ts';
import { logSoftmax } from '../../../../../pipelines/generators/promptehr/sampling/decoding.ts';
import promptehr from '../../../../../pipelines/generators/promptehr.ts';
import { openModel } from '../../../../../pipelines/generators/registry.ts';
import type { NamedArray } from '../../../../../pipelines/kernel/checkpointable.ts';
import { decodeSafetensors } from '../../../../../pipelines/kernel/safetensors.ts';
import { drainAsync } from '../../../../../pipelines/kernel/steps.ts';
import { publishedPerplexity } from '../../../../../pipelines/metrics/statistics/imputation-perplexity.ts';
import { StageError } from '../../../../../schemas/errors.ts';
import { columnsAsWritten, golden } from '../../../metrics/golden-cohorts.ts';
import { openImported, tinyFile } from '../../imported-network.ts';

const { vocab, cases } = golden<{
  vocab: Record<string, number>;
  cases: { name: string; perplexity: number }[];
}>('promptehr_tiny.json');
const tokens = { ...vocab, '<mask>': 260 };
const features = {
  numeric: [{ name: 'age', mean: 0, deviation: 1 }],
  categorical: [
    { name: 'sex', levels: ['F', 'M'] },
    { name: 'admission', levels: ['a', 'b', 'c'] },
  ],
};
const given = { vocabulary: { tokens, features }, options: { heads: 2 }, seed: 3 };
const io = decodeSafetensors(await readFile(tinyFile('io'))).arrays;

test.before(() => startBackend());

const rowsOf = (tensor: NamedArray | undefined): number[][] => {
  const [count = 0, length = 0] = tensor?.shape ?? [];
  const values = Array.from(tensor?.data ?? [], Number);
  return Array.from({ length: count }, (_, row) => values.slice(row * length, (row + 1) * length));
};

for (const name of ['test_diag_spl', 'test_diag_tpl', 'test_med_spl', 'test_med_tpl'])
  test.serial(`${name}: an imported checkpoint gives the golden probabilities and perplexity`, async (t) => {
    const { model, network } = await openImported(
      await importCheckpoint(promptehr, tinyFile('weights'), given),
    );
    const { streams } = model;
    // Their tokens as ours: <s> and </s>, brackets, codes by the row of their head.
    const ours = new Map([
      [0, 1],
      [1, 0],
      [2, 2],
      [260, 3],
    ]);
    const heads = ['diag', 'med'].map((kind) => streams.kinds.indexOf(kind === 'diag' ? 'dx' : 'rx'));
    for (const [text, id] of Object.entries(vocab)) {
      const [, slash, bracket] = /^<(\/?)(\w+)>$/.exec(text) ?? [];
      const head = heads[text.includes('diag') ? 0 : 1] as number;
      if (bracket) ours.set(id, 6 + 2 * head + (slash ? 1 : 0));
      else ours.set(id, streams.heads[head]?.tokens[1 + Number(text.split('_')[1])] as number);
    }
    const mapped = (row: number[]) => row.map((id) => ours.get(id) ?? Number.NaN);
    const at = (tensor: string) => io[`${name}.${tensor}`];
    const masks = rowsOf(at('attention_mask'));
    const labels = rowsOf(at('labels'));
    const said = labels.map((row) => row.findLastIndex((token) => token !== 1) + 1);
    const batch: SpanBatch = {
      contexts: packSequences(
        rowsOf(at('input_ids')).map((row, i) => mapped(row.filter((_, k) => masks[i]?.[k] === 1))),
      ),
      spans: packSequences(labels.map((row, i) => mapped([0, ...row.slice(0, (said[i] as number) - 1)]))),
      sources: Int32Array.from(labels.keys()),
      heads: new Int32Array(labels.length).fill(heads[name.includes('med') ? 1 : 0] as number),
      targets: new Int32Array(said.reduce((a, b) => a + b)),
      numeric: Float32Array.from(at('x_num')?.data ?? [], Number),
      categories: Int32Array.from(at('x_cat')?.data ?? [], Number),
    };
    t.true([...batch.contexts.tokens, ...batch.spans.tokens].every((token) => token >= 0));
    const logits = await network.logits(batch);
    network.dispose();
    const expected = at('logits') as NamedArray;
    const [, length, outputs] = expected.shape as [number, number, number];
    const encoded = rowsOf(at('encoded_labels_without_prompt_offset'));
    const scored = rowsOf(at('label_mask'));
    const losses: number[] = [];
    let off = 0;
    for (let span = 0; span < labels.length; span++)
      for (let row = 0; row < (said[span] as number); row++) {
        const own = logits[(batch.spans.offsets[span] as number) + row] as Float32Array;
        t.is(own.length, outputs + 1, 'the end is one output more');
        const first = (span * length + 3 + row) * outputs;
        for (let output = 0; output < outputs; output++)
          off = Math.max(off, Math.abs((own[output + 1] as number) - Number(expected.data[first + output])));
        if (scored[span]?.[row] !== 1) continue;
        const codes = new Uint8Array(own.length).fill(1, 1);
        losses.push(-(logSoftmax(own, codes)[1 + (encoded[span]?.[row] as number)] as number));
      }
    t.true(off < 1e-5, `logits off by ${off}`);
    const perplexity = cases.find((one) => one.name === name)?.perplexity ?? 0;
    const found = publishedPerplexity([losses]) ?? 0;
    t.true(Math.abs(found - perplexity) < 1e-4 * perplexity, `${found}, not ${perplexity}`);
  });

const withFolder = async <T>(work: (folder: string) => Promise<T>): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'adopt-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
};

test.serial('an imported checkpoint is a model: it draws, scores and fills in', async (t) => {
  const imported = await importCheckpoint(promptehr, tinyFile('weights'), given);
  t.is(imported.codes, 35);
  t.true(
    imported.notes.some((note) => /1 of 35 codes are new/.test(note)),
    'a number that no code has',
  );
  await withFolder(async (folder) => {
    for (const [name, content] of Object.entries(imported.files))
      await writeFile(join(folder, name), content);
    const model = await readModelFolder(folder);
    const sampler = await openModel(model);
    t.deepEqual(sampler.features, { age: 'numeric', sex: ['F', 'M'], admission: ['a', 'b', 'c'] });
    const columns = columnsAsWritten([
      {
        visits: [
          [0, 3, 24],
          [5, 30],
        ],
        labels: [],
      },
    ]);
    const scores = await drainAsync(sampler.conditional?.(columns) ?? t.fail());
    t.true(scores.crossModal.every(Number.isFinite));
    const found = await drainAsync(sampler.impute?.({ columns, task: 'next-visit', top: 3 }) ?? t.fail());
    t.is(found.code.length, 6);
    const drawn = await sampler.sample({ first: 0, count: 4, seed: 1 });
    t.is(drawn.visitOffsets.length, 5);
    sampler.dispose();
  });
});

test.serial('what does not fit is refused, with numbers', async (t) => {
  const { arrays } = decodeSafetensors(await readFile(tinyFile('weights')));
  const adopt =
    (vocabulary: object, heads: number | undefined = 2, tensors = arrays) =>
    () =>
      promptehr.importCheckpoint?.adopt({ tensors, vocabulary, seed: 3 }, { heads });
  const own = { tokens, features };
  const withTokens = (changes: object) => adopt({ ...own, tokens: { ...tokens, ...changes } });
  const noHeads = { tensors: arrays, vocabulary: own, seed: 3 };
  const cases: [run: () => unknown, message: RegExp][] = [
    [
      () => promptehr.importCheckpoint?.adopt(noHeads, {}),
      /cannot be seen in its weights \(width 32\): give --heads/,
    ],
    [adopt(own, 5), /5 heads do not divide the width of 32/],
    [adopt({ codes: [], labels: [] }), /heads of their own: give the vocabulary of their tokenizer/],
    [withTokens({ diag_40: 290 }), /lm_head\.diag\.weight has 23 rows, and .* go up to 40/],
    [withTokens({ diag_7: 500 }), /names row 500 of the embedding, which has 299/],
    [adopt({ tokens: { '<s>': 0, '</s>': 2 } }), /the tokenizer has no codes/],
    [adopt({ tokens: { '<thing>': 5, '</thing>': 6, thing_0: 7 } }), /codes of a type thing; known are diag/],
    [withTokens({ diag_x: 290 }), /diag code that does not end in its number/],
    [adopt({ tokens, features: { numeric: 7 } }), /features of the vocabulary file/],
    [
      adopt(own, 2, { x: { shape: [2], data: new Float32Array(2) } }),
      /expected a matrix model\.shared\.weight, found x/,
    ],
  ];
  for (const [run, message] of cases)
    t.throws(run, { instanceOf: StageError, code: 'SourceMalformed', message });
  const wide = { ...features, categorical: [{ name: 'sex', levels: ['F', 'M', 'X'] }] };
  t.throws(adopt({ tokens, features: wide }), {
    message: /cat_tokenizer\.embeddings\.weight is \[5, 16\], expected \[3, 16\]/,
  });
});
