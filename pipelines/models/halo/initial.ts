import type { RandomSource } from '../../random.ts';
import type { Architecture } from './architecture.ts';
import { type Part, referenceShapes } from './parts.ts';

/** How the reference (PyTorch's defaults, and GPT-2's for the blocks) fills a fresh tensor. */
const distributionOf = (
  name: string,
  shape: number[],
): { kind: 'constant' | 'uniform' | 'normal'; size: number } => {
  const fanIn = name.includes('vis_embed_mat') || name.includes('ehr_head') ? (shape.at(-1) as number) : 0;
  if (fanIn > 0) return { kind: 'uniform', size: 1 / Math.sqrt(fanIn) };
  if (name.includes('pos_embed_mat')) return { kind: 'normal', size: 1 };
  if (shape.length === 2) return { kind: 'normal', size: 0.02 };
  return { kind: 'constant', size: name.includes('ln_') && name.endsWith('weight') ? 1 : 0 };
};

/**
 * A fresh model's numbers, part by part. A draw belongs to a cell of the reference's tensor, so neither the block
 * size nor the order of parts changes the weights.
 */
export const initialValues = (
  architecture: Architecture,
  random: RandomSource,
): ((part: Part) => Float32Array) => {
  const shapes = referenceShapes(architecture);
  const names = Object.keys(shapes);
  return (part) => {
    const shape = shapes[part.reference] as number[];
    const { kind, size } = distributionOf(part.reference, shape);
    const [rows, columns] =
      shape.length === 1 ? [1, part.shape[0] as number] : (part.shape as [number, number]);
    const values = new Float32Array(rows * columns);
    if (kind === 'constant') return values.fill(size);
    // Draws run along the rows of the reference: along our columns where it is transposed.
    const [lines, length] = part.transposed ? [columns, rows] : [rows, columns];
    const [line, start] = part.transposed ? [part.column, part.row] : [part.row, part.column];
    const draws = new Float64Array(length * 2);
    for (let l = 0; l < lines; l++) {
      random.fill(draws, start * 2, (start + length) * 2, line + l, names.indexOf(part.reference));
      for (let k = 0; k < length; k++) {
        const [row, column] = part.transposed ? [k, l] : [l, k];
        if (part.triangular && part.row + row > part.column + column) continue;
        const [u, v] = [draws[2 * k] as number, draws[2 * k + 1] as number];
        const unit =
          kind === 'uniform' ? 2 * u - 1 : Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v);
        values[row * columns + column] = size * unit;
      }
    }
    return values;
  };
};
