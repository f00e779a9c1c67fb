import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import { importCheckpoint } from '../../../../../pipelines/exchange/models/import-checkpoint.ts';
import promptehr from '../../../../../pipelines/generators/promptehr.ts';
import {
  decodeSafetensors,
  decodeSaved,
  encodeSafetensors,
} from '../../../../../pipelines/kernel/safetensors.ts';
import { openImported, tinyFile } from '../../imported-network.ts';
import { planted } from '../../planted-cohort.ts';

test.before(() => startBackend());

const withFolder = async <T>(work: (folder: string) => Promise<T>): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'adopt-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
};

/** BART's names and special tokens on a small body; `bare` as BartModel alone writes it. */
const bartFile = async (folder: string, bare: boolean): Promise<string> => {
  const { arrays } = decodeSafetensors(await readFile(tinyFile('weights')));
  const kept = Object.entries(arrays).filter(([name]) => !/lm_head|conditional_prompt/.test(name));
  const named = kept.map(([name, array]) => [bare ? name.replace(/^model\./, '') : name, array] as const);
  const file = join(folder, `bart-${bare}.safetensors`);
  await writeFile(file, encodeSafetensors(Object.fromEntries(named)));
  return file;
};

test.serial('BART: its own rows stay, codes are new, the same seed gives the same bytes', async (t) => {
  const vocabulary = {
    codes: [
      { modality: 'dx' as const, code: '4019' },
      { modality: 'px' as const, code: '9604' },
    ],
    labels: ['Sepsis'],
  };
  await withFolder(async (folder) => {
    const read = (bare: boolean, seed: number) =>
      bartFile(folder, bare).then((file) =>
        importCheckpoint(promptehr, file, { vocabulary, options: { heads: 2 }, seed }),
      );
    const one = await read(false, 3);
    const other = await read(true, 3);
    t.deepEqual(other.files['weights.safetensors'], one.files['weights.safetensors']);
    t.notDeepEqual((await read(true, 4)).files['weights.safetensors'], one.files['weights.safetensors']);
    t.true(one.notes.some((note) => /2 of 2 codes are new/.test(note)));
    const { model, network } = await openImported(one);
    t.true(model.architecture.tied);
    const table = network.ops.download(network.variable('model.shared.weight'));
    const { arrays } = decodeSafetensors(await readFile(tinyFile('weights')));
    const theirs = Array.from(arrays['model.shared.weight']?.data ?? [], Number);
    const row = (values: ArrayLike<number>, at: number) => Array.from(values).slice(at * 32, at * 32 + 32);
    t.deepEqual(row(table, 1), row(theirs, 0), '<s>');
    t.deepEqual(row(table, 0), row(theirs, 1), '<pad>');
    t.deepEqual(row(table, 2), row(theirs, 2), '</s>');
    const mean = Array.from({ length: 32 }, (_, column) => {
      const values = theirs.filter((_, i) => i % 32 === column);
      return values.reduce((a, b) => a + b) / values.length;
    });
    const code = row(table, 10);
    t.true(code.every((value, i) => Math.abs(value - (mean[i] as number)) < 0.1));
    t.true(
      code.some((value, i) => Math.abs(value - (mean[i] as number)) > 0.005),
      'two codes differ',
    );
    network.dispose();
  });
});

test.serial('BART with its tokenizer: a code begins as the mean of the pieces of its name', async (t) => {
  // Pieces of a small body: rows 4 to 6 of its embedding.
  const rows = { '<s>': 0, '<pad>': 1, '</s>': 2, '<mask>': 3, Ġa: 4, Ġb: 5, b: 6 };
  const pieces = { rows, merges: [['Ġ', 'a'] as const, ['Ġ', 'b'] as const] };
  const vocabulary = {
    codes: [
      { modality: 'dx' as const, code: '4019', title: 'a bb' },
      { modality: 'dx' as const, code: '4280', title: 'zzz' },
      { modality: 'px' as const, code: '9604' },
    ],
    labels: [],
  };
  await withFolder(async (folder) => {
    const file = await bartFile(folder, true);
    const one = await importCheckpoint(promptehr, file, {
      vocabulary,
      options: { tokenizer: pieces, heads: 2 },
      seed: 3,
    });
    t.true(
      one.notes.some((note) => /^2 of 3 codes are new to these weights: they have to be trained/.test(note)),
    );
    t.true(one.notes.some((note) => /^1 of 3 codes are new .* mean of the pieces of their names/.test(note)));
    const { model, network } = await openImported(one);
    const table = network.ops.download(network.variable('model.shared.weight'));
    const { arrays } = decodeSafetensors(await readFile(tinyFile('weights')));
    const theirs = Array.from(arrays['model.shared.weight']?.data ?? [], Number);
    const { codeBase } = model.streams;
    for (let column = 0; column < 32; column++) {
      const at = (row: number) => theirs[row * 32 + column] as number;
      const found = table[codeBase * 32 + column] as number;
      t.true(Math.abs(found - (at(4) + at(5) + at(6)) / 3) < 1e-6);
      t.is(table[3 * 32 + column], at(3), '<mask>');
    }
    const { drawn = [], named = [] } = model.untaught ?? {};
    t.deepEqual(named, [codeBase]);
    t.deepEqual(
      drawn.filter((token) => token >= codeBase),
      [codeBase + 1, codeBase + 2],
    );
    t.true(
      [4, 5].every((mark) => drawn.includes(mark)) && !drawn.includes(1),
      'brackets of visits are new, <s> is not',
    );
    network.dispose();
    const { vocabulary: planned, ...split } = planted();
    const data = {
      ...split,
      vocabulary: { ...planned, codes: planned.codes.with(3, { modality: 'dx', code: '4019' }) },
    };
    const saved = decodeSaved(one.files['weights.safetensors'] as Uint8Array);
    const config = promptehr.config.parse({ epochs: 1, batch: 16 });
    const fitting = await promptehr.fitFrom?.({ saved, vocabulary }, data, config, 1);
    t.like(fitting?.facts, {
      codesTaken: 0,
      codesFromNames: 1,
      codesFresh: 11,
      promptsTaken: 0,
      promptsFresh: 2,
    });
    t.like(fitting?.settings, { width: 32, attentionHeads: 2, start: 'prevalence' });
    t.true(Number.isFinite((await fitting?.step())?.loss));
    const begun = await fitting?.model();
    t.is(begun?.json['untaught'], undefined);
    fitting?.dispose();
    const far = { ...pieces, rows: { ...rows, b: 999 } };
    await t.throwsAsync(
      importCheckpoint(promptehr, file, { vocabulary, options: { tokenizer: far, heads: 2 }, seed: 3 }),
      {
        message: /names row 999 of the embedding, which has 299/,
      },
    );
  });
});
