import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { readImportOptions } from '../../../../../pipelines/exchange/models/import-checkpoint.ts';
import {
  type BytePairs,
  bytePairEncoder,
  readTokenizer,
  tokenizerFile,
} from '../../../../../pipelines/generators/promptehr/adoption/tokenizer.ts';
import promptehr from '../../../../../pipelines/generators/promptehr.ts';
import { tempFolder } from '../../../../helpers/temp-folder.ts';
import { golden } from '../../../metrics/golden-cohorts.ts';

const { tokenizer, cases } = golden<{
  tokenizer: { model: { vocab: Record<string, number>; merges: string[] } };
  cases: { text: string; ids: number[] }[];
}>('byte_pairs.json');

const readTokenizerFile = async (file: string): Promise<BytePairs> => {
  const { tokenizer: read } = await readImportOptions(promptehr, { tokenizer: file });
  return read as BytePairs;
};

test('texts fall into the pieces that Hugging Face’s tokenizers give', (t) => {
  const piecesOf = bytePairEncoder(tokenizerFile.parse(tokenizer));
  for (const { text, ids } of cases) t.deepEqual(piecesOf(text), ids, text);
  t.deepEqual(piecesOf(''), []);
  t.deepEqual(bytePairEncoder({ rows: { a: 7 }, merges: [] })('ab'), [7], 'what has no row is left out');
});

test('a tokenizer.json is read, merges as pairs or as text', async (t) => {
  const folder = await tempFolder(t);
  const file = join(folder, 'tokenizer.json');
  const read = async (content: unknown) => {
    await writeFile(file, JSON.stringify(content));
    return readTokenizerFile(file);
  };
  const vocab = { a: 0, b: 1, ab: 2 };
  const expected = { rows: vocab, merges: [['a', 'b']] };
  t.deepEqual(await read({ model: { type: 'BPE', vocab, merges: ['a b'] } }), expected as never);
  t.deepEqual(await read({ model: { vocab, merges: [['a', 'b']] } }), expected as never);
  for (const content of [
    { model: { type: 'WordPiece', vocab } },
    { model: { vocab, merges: ['ab'] } },
    vocab,
  ])
    await t.throwsAsync(read(content), { code: 'SourceMalformed', message: /no tokenizer we can read/ });
  await writeFile(file, 'none');
  await t.throwsAsync(readTokenizerFile(file), { code: 'SourceMalformed', message: /is no JSON/ });
  await t.throwsAsync(readTokenizerFile(join(folder, 'none')), { code: 'SourceMissing' });
});

test('a tokenizer may have 200,000 codes of one kind', (t) => {
  const codes = Array.from({ length: 200_000 }, (_, i): [string, number] => [`diag_${i}`, i + 2]);
  const { rows } = readTokenizer({
    tokens: Object.fromEntries([['<diag>', 0], ['</diag>', 1], ...codes]),
  });
  t.is(rows.length, 200_000);
  t.is(rows.at(-1), 200_001);
});
