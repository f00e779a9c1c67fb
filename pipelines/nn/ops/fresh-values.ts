import type { RandomSource } from '../../kernel/random.ts';

/**
 * What a fresh parameter is filled with: one number, or draws within ±size, or of that standard deviation.
 */
export interface Distribution {
  kind: 'constant' | 'uniform' | 'normal';
  size: number;
}

/** A rectangle of a tensor: `tensor` numbers the tensors of a model, it begins at `row` and `column`. */
export interface Rectangle {
  tensor: number;
  row: number;
  column: number;
  rows: number;
  columns: number;
}

/**
 * Two normal draws out of every two words, in place (Box and Muller, 1958); the first word becomes (0, 1].
 */
const drawNormals = (words: Uint32Array, size: number, into: Float32Array): void => {
  for (let i = 0; i < words.length; i += 2) {
    const radius = size * Math.sqrt(-2 * Math.log(((words[i] as number) + 1) / 2 ** 32));
    const angle = 2 * Math.PI * ((words[i + 1] as number) / 2 ** 32);
    into[i] = radius * Math.cos(angle);
    into[i + 1] = radius * Math.sin(angle);
  }
};

const drawUniforms = (words: Uint32Array, size: number, into: Float32Array): void => {
  for (let i = 0; i < words.length; i++) into[i] = size * ((words[i] as number) / 2 ** 31 - 1);
};

/**
 * A rectangle of a fresh tensor, row-major. A draw belongs to the cell of the whole tensor: rectangles that
 * tile it have the same numbers however it is cut. Of 32 bits each, which is more than a float32 keeps.
 */
export const freshValues = (
  random: RandomSource,
  { kind, size }: Distribution,
  { tensor, row, column, rows, columns }: Rectangle,
): Float32Array => {
  const values = new Float32Array(rows * columns);
  if (kind === 'constant') return values.fill(size);
  // Counters hold four draws, and normals come in pairs: whole counters are drawn, and the ends left out.
  const first = column - (column % 4);
  const words = new Uint32Array(Math.ceil((column + columns - first) / 4) * 4);
  const line = new Float32Array(words.length);
  const wanted = line.subarray(column - first, column - first + columns);
  for (let r = 0; r < rows; r++) {
    random.words(words, first, row + r, tensor);
    if (kind === 'uniform') drawUniforms(words, size, line);
    else drawNormals(words, size, line);
    values.set(wanted, r * columns);
  }
  return values;
};
