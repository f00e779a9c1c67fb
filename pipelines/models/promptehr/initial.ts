import type { RandomSource } from '../../random.ts';
import type { PromptArchitecture } from './architecture.ts';
import { type Part, partsOf } from './parts.ts';

/** How the reference fills a fresh tensor: BART's normal of 0.02, Xavier's uniform for what makes prompt rows. */
const distributionOf = ({ name, shape }: Part): { kind: 'constant' | 'uniform' | 'normal'; size: number } => {
  const [rows, columns] = shape;
  if (columns === undefined)
    return { kind: 'constant', size: /layer_?norm/.test(name) && name.endsWith('.weight') ? 1 : 0 };
  const isRows = name.includes('tokenizer') && !/proj|embeddings/.test(name);
  if (isRows) return { kind: 'uniform', size: Math.sqrt(6 / ((rows as number) + columns)) };
  return { kind: 'normal', size: 0.02 };
};

/** A fresh model's numbers, part by part; a draw is addressed by its part, row and column. */
export const initialValues = (
  architecture: PromptArchitecture,
  random: RandomSource,
): ((part: Part) => Float32Array) => {
  const names = partsOf(architecture).map(({ name }) => name);
  return (part) => {
    const { kind, size } = distributionOf(part);
    const width = part.shape.at(-1) as number;
    const rows = part.shape.length === 1 ? 1 : (part.shape[0] as number);
    const values = new Float32Array(rows * width);
    if (kind === 'constant') return values.fill(size);
    const draws = new Float64Array(2 * width);
    for (let row = 0; row < rows; row++) {
      random.fill(draws, 0, draws.length, row, names.indexOf(part.name));
      for (let column = 0; column < width; column++) {
        const [u, v] = [draws[2 * column] as number, draws[2 * column + 1] as number];
        const unit =
          kind === 'uniform' ? 2 * u - 1 : Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v);
        values[row * width + column] = size * unit;
      }
    }
    return values;
  };
};
