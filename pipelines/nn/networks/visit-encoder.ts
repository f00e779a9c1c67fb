import type { RandomSource } from '../../kernel/random.ts';
import { deliver, type Gradients } from '../layers/layers.ts';
import type { Lstm } from '../layers/lstm.ts';
import { type LstmStack, lstmStack, lstmStackBackward, type StackTrace } from '../layers/lstm-stack.ts';
import type { Ops, Tensor, Variable } from '../ops/ops.ts';
import type { CodeBook, VisitBatch } from './visit-batch.ts';

/** Sizes of the part that reads visits: G networks side by side, each with weights of its own. */
export interface EncoderShape {
  embedding: number;
  hidden: number;
  layers: number;
  directions: 1 | 2;
}

/** Reads visits: the sum of the embeddings of a visit's codes, then layers of LSTM. */
export interface VisitEncoder {
  shape: EncoderShape;
  /** [codes of all groups, embedding] */
  table: Variable;
  stack: LstmStack;
}

/** Where the initial weights of network `id` of a seed are drawn; `tensor` and `id` address the draws. */
export interface WeightDraws {
  source: RandomSource;
  ids: readonly number[];
}

/** Adds uniform numbers in ±bound to `out`. */
export const uniform = (out: Float32Array, draws: WeightDraws, id: number, tensor: number, bound: number) => {
  const units = new Float64Array(out.length);
  draws.source.fill(units, 0, units.length, id, tensor);
  units.forEach((unit, i) => {
    out[i] = (out[i] as number) + (2 * unit - 1) * bound;
  });
};

/** Tensor numbers below this belong to layers; from here on, each token has its own. */
const firstToken = 64;

/** An embedding per token that does not depend on which other tokens the book has. */
const drawTable = (books: readonly CodeBook[], width: number, draws: WeightDraws): Float32Array => {
  const count = books.reduce((sum, book) => sum + book.tokens.length, 0);
  const table = new Float32Array(Math.max(1, count) * width);
  for (const [group, { rowOf, tokens }] of books.entries()) {
    const bound = 1 / Math.sqrt(rowOf.length);
    for (const token of tokens) {
      const at = (rowOf[token] as number) * width;
      uniform(table.subarray(at, at + width), draws, draws.ids[group] as number, firstToken + token, bound);
    }
  }
  return table;
};

const drawLayer = (ops: Ops, shape: EncoderShape, depth: number, draws: WeightDraws): Lstm => {
  const { hidden, directions, embedding } = shape;
  const width = depth === 0 ? embedding : directions * hidden;
  const networks = directions * draws.ids.length;
  const make = (name: string, kind: number, rows: number, times = 1): Variable => {
    const size = rows * 4 * hidden;
    const value = new Float32Array(networks * size);
    for (let network = 0; network < networks; network++) {
      const direction = Math.floor(network / draws.ids.length);
      const id = draws.ids[network % draws.ids.length] as number;
      const out = value.subarray(network * size, (network + 1) * size);
      for (let time = 0; time < times; time++)
        uniform(out, draws, id, 1 + (depth * 2 + direction) * 4 + kind + time, 1 / Math.sqrt(hidden));
    }
    return ops.variable(`lstm.${depth}.${name}`, [networks, rows, 4 * hidden], { value });
  };
  return {
    input: make('input', 0, width),
    recurrent: make('recurrent', 1, hidden),
    bias: make('bias', 2, 1, 2),
  };
};

/** Fresh weights as PyTorch draws them: ±1/√vocabulary for embeddings, ±1/√hidden in the LSTM. */
export const openEncoder = (
  ops: Ops,
  shape: EncoderShape,
  books: readonly CodeBook[],
  draws: WeightDraws,
): VisitEncoder => {
  const value = drawTable(books, shape.embedding, draws);
  const table = ops.variable('embedding', [value.length / shape.embedding, shape.embedding], { value });
  const layers = Array.from({ length: shape.layers }, (_, depth) => drawLayer(ops, shape, depth, draws));
  return { shape, table, stack: { directions: shape.directions, layers } };
};

export interface EncoderTrace extends StackTrace {
  batch: VisitBatch;
  codes: Tensor;
  segments: Tensor;
  mask: Tensor | undefined;
}

/**
 * Visits → states of the last layer [N, R, H]. `masks`: dropout of the embedded visits, then between layers.
 */
export const encodeVisits = (
  ops: Ops,
  encoder: VisitEncoder,
  batch: VisitBatch,
  masks: readonly Tensor[] = [],
): EncoderTrace => {
  const { rows } = batch;
  const codes = ops.uploadIndices(batch.codes);
  const segments = ops.uploadIndices(batch.segments);
  const shape = [rows.groups, rows.rows, encoder.shape.embedding];
  const visits = ops.reshape(ops.segmentSum(encoder.table, codes, segments, rows.groups * rows.rows), shape);
  const [mask, ...between] = masks;
  const input = mask ? ops.multiply(visits, mask) : visits;
  return { ...lstmStack(ops, encoder.stack, rows, input, between), batch, codes, segments, mask };
};

/** Takes the gradient of the states and hands on those of all weights. */
export const encodeVisitsBackward = (
  pass: Gradients,
  encoder: VisitEncoder,
  trace: EncoderTrace,
  dOut: Tensor,
): void => {
  const { ops } = pass;
  const { rows, codes, segments, mask } = trace;
  const dInput = lstmStackBackward(pass, encoder.stack, trace, dOut);
  const dVisits = ops.reshape(mask ? ops.multiply(dInput, mask) : dInput, [
    rows.groups * rows.rows,
    encoder.shape.embedding,
  ]);
  const count = encoder.table.shape[0] as number;
  deliver(pass, encoder.table, ops.segmentSumGradient(dVisits, codes, segments, count));
};
