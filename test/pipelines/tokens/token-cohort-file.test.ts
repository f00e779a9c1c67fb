import test from 'ava';
import { trainingData } from '../../../pipelines/generation/training-data.ts';
import type { TokenCohort } from '../../../pipelines/patients/visit-columns.ts';
import { readTokenCohort, writeTokenCohort } from '../../../pipelines/tokens/token-cohort-file.ts';

class MemoryFolder {
  readonly files = new Map<string, Uint8Array>();
  write = async (file: string, content: string | Uint8Array): Promise<void> => {
    this.files.set(file, Buffer.from(content));
  };
  bytes = async (file: string): Promise<Uint8Array> => {
    const found = this.files.get(file);
    if (!found) throw new Error(`no ${file}`);
    return found;
  };
  json = async (file: string): Promise<unknown> =>
    JSON.parse(Buffer.from(await this.bytes(file)).toString('utf8'));
}

const small = (): TokenCohort => ({
  // Three patients: two visits (one of them empty), none, one.
  visitOffsets: Int32Array.of(0, 2, 2, 3),
  codeOffsets: Int32Array.of(0, 2, 2, 5),
  codes: Int32Array.of(0, 3, 1, 2, 3),
  labels: Uint8Array.of(1, 0, 0, 0, 1, 1),
  vocabulary: {
    codes: [
      { modality: 'dx', code: '0380', title: 'Streptococcal septicemia' },
      { modality: 'dx', code: '4019' },
      { modality: 'px', code: '0066' },
      { modality: 'rx', code: 'aspirin' },
    ],
    labels: ['a', 'b'],
  },
  split: Uint8Array.of(0, 1, 0),
  demographics: {
    age: { kind: 'numeric', values: Float32Array.of(61.5, Number.NaN, 91.5) },
    sex: { kind: 'categorical', levels: ['F', 'M'], values: Int32Array.of(1, -1, 0) },
    language: { kind: 'categorical', levels: [], values: Int32Array.of(-1, -1, -1) },
  },
});

test('a real cohort with empty visits and unknown facts survives the round trip', async (t) => {
  const folder = new MemoryFolder();
  const header = await writeTokenCohort(folder, small(), { dropped: { unknownCodes: { train: 0 } } });
  t.like(header, { patients: 3, visits: 3, codes: 5, splits: { train: 2, validation: 1, holdout: 0 } });
  t.deepEqual(await readTokenCohort(folder), small());
});

test('numbers behind bucket tokens survive the round trip; the header has the order and what was changed', async (t) => {
  const folder = new MemoryFolder();
  const cohort: TokenCohort = {
    ...small(),
    values: Float32Array.of(Number.NaN, 0.9, Number.NaN, Number.NaN, 1.4),
    vocabulary: { ...small().vocabulary, order: 'random' },
  };
  const header = await writeTokenCohort(folder, cohort, { changed: { 'both-sexes': { codes: 2 } } });
  t.like(header, { order: 'random', changed: { 'both-sexes': { codes: 2 } } });
  t.deepEqual(await readTokenCohort(folder), cohort);
  await t.throwsAsync(writeTokenCohort(folder, { ...cohort, values: new Float32Array(4) }), {
    message: 'values: expected 5, found 4',
  });
});

test('a synthetic cohort needs no split, no demographics, no labels and no patients', async (t) => {
  const nobody: TokenCohort = {
    visitOffsets: Int32Array.of(0),
    codeOffsets: Int32Array.of(0),
    codes: new Int32Array(0),
    labels: new Uint8Array(0),
    vocabulary: { codes: [], labels: [] },
    generator: 'coin',
  };
  const folder = new MemoryFolder();
  await writeTokenCohort(folder, nobody);
  t.deepEqual(await readTokenCohort(folder), nobody);
});

test('columns are views on the bytes read, not copies', async (t) => {
  const folder = new MemoryFolder();
  await writeTokenCohort(folder, small());
  const file = new Uint8Array(await folder.bytes('tokens.arrow'));
  const read = await readTokenCohort({ bytes: async () => file, json: folder.json });
  const { visitOffsets, codeOffsets, codes, labels, split, demographics } = read;
  const columns = [visitOffsets, codeOffsets, codes, labels, split, demographics?.['age']?.values];
  for (const column of [...columns, demographics?.['sex']?.values]) t.is(column?.buffer, file.buffer);
});

test('equal cohorts give equal bytes, however many were written before', async (t) => {
  const [one, two] = [new MemoryFolder(), new MemoryFolder()];
  await writeTokenCohort(one, small());
  await writeTokenCohort(two, small());
  t.deepEqual(one.files, two.files);
});

test('columns that do not fit each other are refused before anything is written', async (t) => {
  const folder = new MemoryFolder();
  await t.throwsAsync(writeTokenCohort(folder, { ...small(), split: Uint8Array.of(0) }), {
    instanceOf: RangeError,
    message: 'split: expected 3, found 1',
  });
  const codes = Int32Array.of(0, 3, 1, 2, 4);
  await t.throwsAsync(writeTokenCohort(folder, { ...small(), codes }), {
    message: 'token 4 is not in a vocabulary of 4',
  });
  t.is(folder.files.size, 0);
});

test('a file of another shape is a corrupt artifact', async (t) => {
  const folder = new MemoryFolder();
  await writeTokenCohort(folder, small());
  const { codes, labels } = small().vocabulary;
  await folder.write('vocabulary.json', JSON.stringify({ codes, labels: [...labels, 'c'] }));
  await t.throwsAsync(readTokenCohort(folder), {
    name: 'ArtifactCorrupt',
    message: /labels: expected 9, found 6/,
  });
});

test('training data holds the training and validation patients only', (t) => {
  const data = trainingData(small());
  t.deepEqual(data.train.visitOffsets, Int32Array.of(0, 2, 3));
  t.deepEqual(data.train.codes, Int32Array.of(0, 3, 1, 2, 3));
  t.deepEqual(data.train.labels, Uint8Array.of(1, 0, 1, 1));
  t.deepEqual(data.validation.visitOffsets, Int32Array.of(0, 0));
});
