/**
 * How our arrays lie in the tensors of the reference (btheodorou99/HALO_Inpatient, model.py). Each of ours is
 * a rectangle of one of theirs. The two square matrices of the head (D = embedding + width) are kept as
 * blocks of their live triangle only: half the memory, and half the work.
 */

import { type Layout, layoutOf } from '../../../generation/record-sets.ts';
import type { NamedArray } from '../../../kernel/checkpointable.ts';
import type { Pace } from '../../../kernel/pace.ts';
import type { Architecture } from './architecture.ts';

/** A trainable array of ours, a rectangle of a reference tensor. Vectors count as one row. */
export interface Weight {
  name: string;
  /** Ours: `[in, out]`, or `[n]`. */
  shape: number[];
  reference: string;
  /** The reference has `[out, in]`. */
  transposed: boolean;
  /** First row and column of it in the reference tensor, counted in our orientation. */
  row: number;
  column: number;
  /** Cells with row > column in the whole tensor are dead: always zero here. */
  triangular: boolean;
}

/** Columns [from, to) of the visit vector. */
export interface Block {
  from: number;
  to: number;
}

const cutRange = (from: number, to: number, size: number): Block[] =>
  Array.from({ length: Math.ceil((to - from) / size) }, (_, i) => ({
    from: from + i * size,
    to: Math.min(to, from + (i + 1) * size),
  }));

/** The width cut into blocks of at most `size` columns; none holds both codes and what comes after them. */
export const columnBlocks = ({ codes, width }: Layout, size: number): Block[] => [
  ...cutRange(0, codes, size),
  ...cutRange(codes, width, size),
];

const whole = (reference: string, shape: number[], transposed = false): Weight => ({
  name: reference,
  shape,
  reference,
  transposed,
  row: 0,
  column: 0,
  triangular: false,
});

/** Names of one transformer block's tensors in the reference. */
export const blockName = (layer: number, tensor: string): string => `transformer.h.${layer}.${tensor}`;

/** The trainable arrays of the visit-level module. */
export const transformerWeights = ({ layers, embedding, positions, ...rest }: Architecture): Weight[] => {
  const e = embedding;
  const { width } = layoutOf(rest);
  const norm = (name: string) => [whole(`${name}.weight`, [e]), whole(`${name}.bias`, [e])];
  const dense = (name: string, from: number, to: number) => [
    whole(`${name}.weight`, [from, to]),
    whole(`${name}.bias`, [to]),
  ];
  return [
    whole('transformer.vis_embed_mat.weight', [width, e], true),
    whole('transformer.pos_embed_mat.weight', [positions, e]),
    ...Array.from({ length: layers }, (_, layer) => [
      ...norm(blockName(layer, 'ln_1')),
      ...dense(blockName(layer, 'attn.c_attn'), e, 3 * e),
      ...dense(blockName(layer, 'attn.c_proj'), e, e),
      ...norm(blockName(layer, 'ln_2')),
      ...dense(blockName(layer, 'mlp.c_fc'), e, 4 * e),
      ...dense(blockName(layer, 'mlp.c_proj'), 4 * e, e),
    ]).flat(),
    ...norm('transformer.ln_f'),
  ];
};

/** Names of the head's weights of one block. Layer 1 reads codes, layer 2 writes logits. */
export const headName = (layer: 1 | 2, part: 'diagonal' | 'rest', block: number): string =>
  `ehr_head.auto${layer}.${part}.${block}`;

const headWeights = (architecture: Architecture, blockSize: number): Weight[] => {
  const n = architecture.embedding;
  const layout = layoutOf(architecture);
  // The last output of layer 1 and the first n - 1 of layer 2 reach no logit: they are not kept.
  const hidden = n + layout.width - 1;
  const cut = (
    name: string,
    layer: 1 | 2,
    rows: [number, number],
    columns: [number, number],
    triangular = false,
  ) => ({
    name,
    shape: [rows[1] - rows[0], columns[1] - columns[0]],
    reference: `ehr_head.auto${layer}.weight`,
    transposed: true,
    row: rows[0],
    column: columns[0],
    triangular,
  });
  const blocks = columnBlocks(layout, blockSize).flatMap(({ from, to }, i) => [
    cut(headName(1, 'diagonal', i), 1, [n + from, n + to], [n + from, Math.min(n + to, hidden)], true),
    cut(headName(1, 'rest', i), 1, [n + from, n + to], [Math.min(n + to, hidden), hidden]),
    cut(headName(2, 'rest', i), 2, [0, n + from], [n - 1 + from, n - 1 + to]),
    cut(headName(2, 'diagonal', i), 2, [n + from, n + to - 1], [n - 1 + from, n - 1 + to], true),
  ]);
  return [
    cut('ehr_head.auto1.history.diagonal', 1, [0, n], [0, n], true),
    cut('ehr_head.auto1.history.rest', 1, [0, n], [n, hidden]),
    ...blocks.filter(({ shape }) => shape.every((size) => size > 0)),
    whole('ehr_head.auto1.bias', [hidden]),
    { ...whole('ehr_head.auto2.bias', [layout.width]), column: n - 1 },
  ];
};

/** Every trainable array of a model, in a fixed order. */
export const allWeights = (architecture: Architecture, blockSize: number): Weight[] => [
  ...transformerWeights(architecture),
  ...headWeights(architecture, blockSize),
];

/** Trainable numbers of a weight: of a triangle those that are not dead. */
export const liveCells = ({ shape, triangular, row, column }: Weight): number => {
  const [rows, columns] = [1, ...shape].slice(-2) as [number, number];
  const dead = (r: number) => (triangular ? Math.min(columns, Math.max(0, row + r - column)) : 0);
  return Array.from({ length: rows }, (_, r) => columns - dead(r)).reduce((a, b) => a + b, 0);
};

/** Shapes of the reference's tensors, by name. */
export const referenceShapes = (architecture: Architecture): Record<string, number[]> => {
  const { width } = layoutOf(architecture);
  const shapes: Record<string, number[]> = {};
  for (const { reference, shape, transposed } of transformerWeights(architecture))
    shapes[reference] = transposed ? shape.toReversed() : shape;
  const side = architecture.embedding + width;
  for (const layer of [1, 2]) {
    shapes[`ehr_head.auto${layer}.weight`] = [side, side];
    shapes[`ehr_head.auto${layer}.bias`] = [side];
  }
  return shapes;
};

/** Side of the squares that a transposition goes by, so that both sides stay in the processor's cache. */
const tile = 32;

/**
 * Copies the live cells of our array into the reference's tensor, or back. Line by line where both run alike,
 * in squares where the reference is transposed.
 */
const copyCells = (
  weight: Weight,
  ours: Float32Array,
  theirs: NamedArray['data'],
  stride: number, // of a row of the reference
  toOurs: boolean,
): void => {
  const [rows, columns] = [1, ...weight.shape].slice(-2) as [number, number];
  const { row, column, transposed, triangular } = weight;
  for (let top = 0; top < rows; top += tile)
    for (let left = 0; left < columns; left += tile)
      for (let r = top; r < Math.min(rows, top + tile); r++) {
        const live = triangular ? Math.max(left, row + r - column) : left;
        const step = transposed ? stride : 1;
        let at = transposed ? (column + live) * stride + row + r : (row + r) * stride + column + live;
        for (let c = live; c < Math.min(columns, left + tile); c++, at += step)
          if (toOurs) ours[r * columns + c] = Number(theirs[at]);
          else theirs[at] = ours[r * columns + c] as number;
      }
};

/** Our array out of the reference tensor that holds it. */
export const readWeight = (weight: Weight, reference: NamedArray): Float32Array => {
  const values = new Float32Array(weight.shape.reduce((product, size) => product * size, 1));
  copyCells(weight, values, reference.data, reference.shape.at(-1) as number, true);
  return values;
};

/** Writes our array into the reference tensor that holds it; cells that none covers stay as they are. */
const writeWeight = (weight: Weight, values: Float32Array, reference: NamedArray): void =>
  copyCells(weight, values, reference.data, reference.shape.at(-1) as number, false);

/**
 * All our arrays as the reference's tensors: loadable by its code. Dead cells are zero. Rests after each
 * array.
 */
export const toReference = async (
  architecture: Architecture,
  weights: readonly Weight[],
  valuesOf: (weight: Weight) => Float32Array,
  pace: Pace,
): Promise<Record<string, NamedArray>> => {
  const tensors: Record<string, NamedArray> = {};
  for (const [name, shape] of Object.entries(referenceShapes(architecture)))
    tensors[name] = { shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)) };
  for (const weight of weights) {
    writeWeight(weight, valuesOf(weight), tensors[weight.reference] as NamedArray);
    await pace.rest();
  }
  return tensors;
};
