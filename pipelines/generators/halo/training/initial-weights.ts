import { prevalenceLogits } from '../../../generation/calibration.ts';
import { layoutOf } from '../../../generation/record-sets.ts';
import type { RandomSource } from '../../../kernel/random.ts';
import { type Distribution, freshValues } from '../../../nn/ops/fresh-values.ts';
import type { VisitColumns } from '../../../patients/visit-columns.ts';
import type { Architecture } from '../network/architecture.ts';
import { referenceShapes, type Weight } from '../network/weight-layout.ts';
import type { HaloSettings } from './config.ts';

/** How the reference (PyTorch's defaults, and GPT-2's for the blocks) fills a fresh tensor. */
const distributionOf = (name: string, shape: number[]): Distribution => {
  const fanIn = name.includes('vis_embed_mat') || name.includes('ehr_head') ? (shape.at(-1) as number) : 0;
  if (fanIn > 0) return { kind: 'uniform', size: 1 / Math.sqrt(fanIn) };
  if (name.includes('pos_embed_mat')) return { kind: 'normal', size: 1 };
  if (shape.length === 2) return { kind: 'normal', size: 0.02 };
  return { kind: 'constant', size: name.includes('ln_') && name.endsWith('weight') ? 1 : 0 };
};

/** Zeros where a triangular part has no weights. */
const clearDeadCells = (part: Weight, values: Float32Array): void => {
  const [rows, columns] = part.shape as [number, number];
  for (let r = 0; r < rows; r++) {
    const dead = Math.min(columns, Math.max(0, part.row + r - part.column));
    values.fill(0, r * columns, r * columns + dead);
  }
};

/**
 * Of the first layer of the head what leads to the units of columns: each unit is its own column, and reads
 * nothing else. Random ones would make of every visit a pattern of its own, which the output layer learns by
 * heart; from here it first learns what one code says of another.
 */
const ownColumns = ({ shape, row, column }: Weight, embedding: number): Float32Array => {
  const [rows, columns] = shape as [number, number];
  const values = new Float32Array(rows * columns);
  for (let r = Math.max(0, embedding - row, column - row); r < rows && row + r - column < columns; r++)
    values[r * columns + row + r - column] = 1;
  return values;
};

/**
 * A fresh model's numbers, part by part. A draw belongs to a cell of the whole tensor, so neither the block
 * size nor the order of parts changes the weights. Starting from prevalence, the output layer's weights are
 * zero and its bias alone speaks: the untrained model is the independent marginals.
 */
export const initialValues = (
  architecture: Architecture,
  random: RandomSource,
  train: VisitColumns,
  start: HaloSettings['start'],
): ((part: Weight) => Float32Array) => {
  const { embedding } = architecture;
  const shapes = referenceShapes(architecture);
  const names = Object.keys(shapes);
  const fresh = (part: Weight): Float32Array => {
    const [rows, columns] = [1, ...part.shape].slice(-2) as [number, number];
    const { row, column } = part;
    const values = freshValues(random, distributionOf(part.reference, shapes[part.reference] as number[]), {
      ...{ tensor: names.indexOf(part.reference), row, column, rows, columns },
    });
    if (part.triangular) clearDeadCells(part, values);
    return values;
  };
  return (part) => {
    if (start !== 'prevalence') return fresh(part);
    if (part.name === 'ehr_head.auto2.bias') return prevalenceLogits(layoutOf(architecture), train);
    if (part.reference === 'ehr_head.auto2.weight')
      return new Float32Array(part.shape.reduce((product, width) => product * width, 1));
    if (part.reference === 'ehr_head.auto1.weight' && part.column >= embedding)
      return ownColumns(part, embedding);
    return part.name === 'ehr_head.auto1.bias' ? fresh(part).fill(0, embedding) : fresh(part);
  };
};
