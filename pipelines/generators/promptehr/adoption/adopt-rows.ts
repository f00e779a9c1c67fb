/** Rows of a checkpoint's matrices as ours: in our order, and new ones for what it lacks. */
import { StageError } from '../../../../schemas/errors.ts';
import { matrixNamed } from '../../../generation/checkpoint-tensors.ts';
import type { NamedArray } from '../../../kernel/checkpointable.ts';
import type { RandomSource } from '../../../kernel/random.ts';
import { headName } from '../network/weight-layout.ts';
import { beginOf, endOf, marks, type StreamLayout } from '../records/streams.ts';
import type { TokenizerPlaces } from './tokenizer.ts';

const malformed = (message: string): StageError => new StageError('SourceMalformed', message);

/** BART's own: `<s>`, `<pad>`, `</s>`; `<mask>` is its last token. */
const bart = { start: 0, pad: 1, end: 2, rows: 50_265 };

/** Adds up rows of a matrix, their mean, into a row of `into`. */
const addMean = (matrix: NamedArray, rows: readonly number[], into: Float32Array): void => {
  for (const row of rows)
    for (let column = 0; column < into.length; column++)
      into[column] = (into[column] as number) + Number(matrix.data[row * into.length + column]) / rows.length;
};

/** Where a row comes from: a row; -1: nowhere; several rows: their mean. */
export type RowSource = number | readonly number[];

/** Rows of a matrix in another order; a row from nowhere is the mean of all, and a little noise. */
export const gatheredRows = (
  matrix: NamedArray,
  rows: readonly RowSource[],
  random: RandomSource,
  address: number,
): NamedArray => {
  const [height, width] = matrix.shape as [number, number];
  const mean = new Float64Array(width);
  for (let i = 0; i < height * width; i++)
    mean[i % width] = (mean[i % width] as number) + Number(matrix.data[i]) / height;
  const data = new Float32Array(rows.length * width);
  const draws = new Float64Array(2 * width);
  rows.forEach((from, to) => {
    const row = data.subarray(to * width, (to + 1) * width);
    if (from !== -1) {
      addMean(matrix, typeof from === 'number' ? [from] : from, row);
      return;
    }
    random.fill(draws, 0, draws.length, to, address);
    for (let column = 0; column < width; column++) {
      const [u, v] = [draws[2 * column] as number, draws[2 * column + 1] as number];
      const noise = 0.02 * Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v);
      row[column] = (mean[column] as number) + noise;
    }
  });
  return { shape: [rows.length, width], data };
};

/** Row of the checkpoint's embedding for each of our stream tokens. */
export const streamRows = (
  streams: StreamLayout,
  tokens: Readonly<Record<string, number>> | undefined,
  places: TokenizerPlaces | undefined,
  /** Per code, the rows of the pieces of its name, where there are some. */
  named: readonly (readonly number[])[],
  height: number,
): RowSource[] => {
  const rows = new Array<RowSource>(streams.tokens).fill(-1);
  rows[marks.start] = tokens?.['<s>'] ?? bart.start;
  rows[marks.pad] = tokens?.['<pad>'] ?? bart.pad;
  rows[marks.end] = tokens?.['</s>'] ?? bart.end;
  rows[marks.mask] = tokens?.['<mask>'] ?? (height >= bart.rows ? bart.rows - 1 : -1);
  streams.kinds.forEach((kind, index) => {
    const brackets = places?.kinds.get(kind);
    rows[beginOf(index)] = brackets?.begin ?? -1;
    rows[endOf(index)] = brackets?.end ?? -1;
  });
  places?.rows.forEach((row, code) => {
    rows[streams.codeBase + code] = row;
  });
  named.forEach((pieces, code) => {
    if (pieces.length > 0) rows[streams.codeBase + code] = pieces;
  });
  const wrong = rows.flat().find((row) => row >= height);
  if (wrong !== undefined)
    throw malformed(
      `the tokenizer names row ${wrong} of the embedding, which has ${height}: another checkpoint's`,
    );
  return rows;
};

/**
 * Our heads' matrices out of the checkpoint's, by our names: the end is new, codes are where the tokenizer
 * has them.
 */
export const headTensors = (
  tensors: Record<string, NamedArray>,
  streams: StreamLayout,
  places: TokenizerPlaces,
  random: RandomSource,
): Record<string, NamedArray> =>
  Object.fromEntries(
    streams.heads.map(({ name, tokens }, head) => {
      const kind = streams.kinds[head] ?? 'dx';
      const theirs = headName(places.kinds.get(kind)?.name ?? '');
      const [height] = matrixNamed(tensors, theirs, 'PromptEHR');
      const rows = tokens.map((token) =>
        token < streams.codeBase ? -1 : (places.outputs[token - streams.codeBase] ?? -1),
      );
      if (rows.length - 1 !== height)
        throw malformed(
          `${theirs} has ${height} rows, and the tokenizer's codes of that type go up to ${rows.length - 2}`,
        );
      return [headName(name), gatheredRows(tensors[theirs] as NamedArray, rows, random, head + 1)];
    }),
  );
