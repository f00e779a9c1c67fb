import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { readTokenizerFile } from '../../../../../pipelines/exchange/models/tokenizer-file.ts';
import { bytePairEncoder } from '../../../../../pipelines/generators/promptehr/adoption/tokenizer.ts';
import { tempFolder } from '../../../../helpers/temp-folder.ts';
import { golden } from '../../../metrics/golden-cohorts.ts';

const { tokenizer, cases } = golden<{
  tokenizer: { model: { vocab: Record<string, number>; merges: string[] } };
  cases: { text: string; ids: number[] }[];
}>('byte_pairs.json');

test('texts fall into the pieces that Hugging Face’s tokenizers give', async (t) => {
  const file = join(await tempFolder(t), 'tokenizer.json');
  await writeFile(file, JSON.stringify(tokenizer));
  const piecesOf = bytePairEncoder(await readTokenizerFile(file));
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
