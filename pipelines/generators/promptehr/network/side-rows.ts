/**
 * A batch's rows on the device, nothing padded: first the prompt rows of all contexts, then the tokens. The
 * spans that read one context stand on one line behind its prompt rows, which they all see and which see none
 * of them: prompt rows are computed once per context. B contexts, S spans, P prompt rows each.
 */

import type { CrossGrid, RowGrid } from '../../../nn/layers/attention.ts';
import { type CellGroup, type GroupedCells, layGroups } from '../../../nn/layers/cells.ts';
import type { Ops, Tensor } from '../../../nn/ops/ops.ts';
import { longestSequence, type PromptArchitecture, promptRows } from './architecture.ts';
import { type Sequences, type SpanBatch, sequenceCount } from './sequences.ts';
import { positionOffset, type Side } from './weight-layout.ts';

/**
 * What the operations of one more grid cost, in cells of scores of all heads together times the model's
 * width. Measured on two cores: some 40 operations of 15 µs a layer, against 56 ns a cell at a width of 128
 * and 240 ns at 768.
 */
const gridCost = 1_600_000;

/**
 * Cells that a line of so many rows gets: a multiple of 8, of 16 above 64. For each new shape of a product
 * oneDNN compiles a kernel, which takes longer than most of our products: few shapes, all soon known. Groups
 * have multiples of 4 lines for the same reason.
 */
export const paddedLength = (rows: number): number => {
  const step = rows > 64 ? 16 : 8;
  return Math.ceil(Math.max(1, rows) / step) * step;
};
const groupStep = 4;

/** Scores of so many lines of the encoder, the decoder, and between them. */
const cellsOf = (lines: number, encoder: number, decoder: number): number =>
  lines * (encoder * encoder + decoder * decoder + encoder * decoder);

/**
 * Lines in groups of similar length, such that padded scores and the operations of a group cost least
 * together; within a group, and group by group, lines ascend by length. `encoder` and `decoder` are the
 * lengths of both sides.
 */
export const lineGroups = (encoder: Int32Array, decoder: Int32Array, width: number): number[][] => {
  const at = (lengths: Int32Array, line: number): number => lengths[line] as number;
  const order = [...encoder.keys()].sort(
    (a, b) => at(encoder, a) - at(encoder, b) || at(decoder, a) - at(decoder, b) || a - b,
  );
  // least[n]: cost of the first n lines in the best groups, of which the last begins at begin[n].
  const least = [0];
  const begin = [0];
  for (let end = 1; end <= order.length; end++) {
    least[end] = Number.POSITIVE_INFINITY;
    let [longest, widest] = [1, 1];
    for (let first = end - 1; first >= 0; first--) {
      longest = Math.max(longest, paddedLength(at(encoder, order[first] as number)));
      widest = Math.max(widest, paddedLength(at(decoder, order[first] as number)));
      if (first % groupStep > 0) continue;
      const cost = (least[first] as number) + cellsOf(end - first, longest, widest) + (3 * gridCost) / width;
      if (cost < (least[end] as number)) [least[end], begin[end]] = [cost, first];
    }
  }
  const groups: number[][] = [];
  for (let end = order.length; end > 0; end = begin[end] as number)
    groups.unshift(order.slice(begin[end] as number, end));
  return groups;
};

/** The contexts of a batch in groups, each with the spans that are written on its line. */
export const groupsOf = (
  { contexts, spans, sources }: SpanBatch,
  architecture: PromptArchitecture,
): number[][] => {
  const prompts = promptRows(architecture);
  const encoder = contexts.offsets.slice(1).map((end, i) => prompts + end - (contexts.offsets[i] as number));
  const decoder = new Int32Array(encoder.length).fill(prompts);
  for (const [span, source] of sources.entries())
    if (source < decoder.length)
      decoder[source] =
        (decoder[source] as number) + (spans.offsets[span + 1] as number) - (spans.offsets[span] as number);
  return lineGroups(encoder, decoder, architecture.width);
};

/** What a side reads: R = B · P + tokens rows. */
export interface SideRows {
  tokens: Tensor; // [tokens] int
  positions: Tensor; // [R] int, row of the position table
  rows: number;
  /** Cells that a line of so many rows gets. */
  padded: (rows: number) => number;
  /** Lines of the B contexts. */
  grid: RowGrid;
}

const checkLengths = ({ offsets }: Sequences, side: Side, architecture: PromptArchitecture): void => {
  const most = longestSequence(architecture);
  const least = promptRows(architecture) > 0 ? 0 : 1;
  for (let i = 0; i + 1 < offsets.length; i++) {
    const length = (offsets[i + 1] as number) - (offsets[i] as number);
    if (length > most || length < least)
      throw new RangeError(
        `${side} sequence ${i} has ${length} tokens; between ${least} and ${most} expected`,
      );
  }
};

/** The sequences of each line; rows and positions of the line. */
interface Line {
  rows: number[];
  /** Place of each row in its own sequence, prompt rows counted. */
  positions: number[];
}

const linesOf = (contexts: number, { offsets }: Sequences, sources: Int32Array, prompts: number): Line[] => {
  const lines = Array.from({ length: contexts }, (_, context): Line => {
    const positions = Array.from({ length: prompts }, (_, i) => i);
    return { rows: positions.map((i) => context * prompts + i), positions };
  });
  for (const [sequence, source] of sources.entries()) {
    const line = lines[source];
    if (!line) throw new RangeError(`span ${sequence} reads context ${source}, of ${contexts} there are`);
    const first = offsets[sequence] as number;
    for (let row = first; row < (offsets[sequence + 1] as number); row++) {
      line.rows.push(contexts * prompts + row);
      line.positions.push(prompts + row - first);
    }
  }
  return lines;
};

/** [B, 1, 1, T] zero at the rows of each line of a group, low at its padding. */
const paddingMask = (ops: Ops, lines: readonly Line[], length: number): Tensor => {
  const mask = new Float32Array(lines.length * length);
  for (const [b, { rows }] of lines.entries()) mask.fill(-1e10, b * length + rows.length, (b + 1) * length);
  return ops.upload(mask, [lines.length, 1, 1, length]);
};

/**
 * [B, 1, T, T] zero where a row may see another: those of the prompts, and earlier ones of its own span. A
 * place behind the line's end sees all before it; it is never read.
 */
const spanMask = (ops: Ops, lines: readonly Line[], prompts: number, length: number): Tensor => {
  const mask = new Float32Array(lines.length * length * length).fill(-1e10);
  for (const [b, { positions }] of lines.entries())
    for (let i = 0; i < length; i++) {
      const row = (b * length + i) * length;
      const position = positions[i];
      if (position === undefined || position < prompts) mask.fill(0, row, row + i + 1);
      else mask.fill(0, row, row + prompts).fill(0, row + i - (position - prompts), row + i + 1);
    }
  return ops.upload(mask, [lines.length, 1, length, length]);
};

const sideRows = (
  ops: Ops,
  side: Side,
  architecture: PromptArchitecture,
  contexts: number,
  sequences: Sequences,
  sources: Int32Array,
  groups: readonly (readonly number[])[],
  padded: SideRows['padded'],
): SideRows => {
  checkLengths(sequences, side, architecture);
  const prompts = promptRows(architecture);
  const lines = linesOf(contexts, sequences, sources, prompts);
  const count = sequences.tokens.length + contexts * prompts;
  const positions = new Int32Array(count);
  for (const line of lines)
    for (const [i, row] of line.rows.entries())
      positions[row] = (line.positions[i] as number) + positionOffset;
  const cells = layGroups(
    ops,
    lines.map((line) => line.rows),
    count,
    groups,
    padded,
  );
  const maskOf = ({ lines: own, length }: CellGroup): Tensor => {
    const of = own.map((line) => lines[line] as Line);
    return side === 'encoder' ? paddingMask(ops, of, length) : spanMask(ops, of, prompts, length);
  };
  return {
    tokens: ops.uploadIndices(sequences.tokens),
    positions: ops.uploadIndices(positions),
    rows: count,
    padded,
    grid: { ...cells, masks: cells.groups.map(maskOf) },
  };
};

/**
 * Contexts as the encoder reads them: all in one grid, no longer than the longest, unless `groups` lists
 * which go together. Throws RangeError for one that is too long. Belongs to the open scope.
 */
export const contextRows = (
  ops: Ops,
  architecture: PromptArchitecture,
  contexts: Sequences,
  groups?: readonly (readonly number[])[],
): SideRows => {
  const count = sequenceCount(contexts);
  const own = Int32Array.from({ length: count }, (_, i) => i);
  if (groups) return sideRows(ops, 'encoder', architecture, count, contexts, own, groups, paddedLength);
  return sideRows(ops, 'encoder', architecture, count, contexts, own, [[...own]], (rows) => rows);
};

/** What the decoder reads: its own rows, and the encoder's. */
export interface SpanRows extends SideRows {
  cross: CrossGrid;
}

/**
 * Spans as the decoder reads them. Throws RangeError for one that is too long or reads no context of the
 * batch.
 */
export const spanRows = (
  ops: Ops,
  architecture: PromptArchitecture,
  { spans, sources }: Pick<SpanBatch, 'spans' | 'sources'>,
  { grid: keys, padded }: SideRows,
): SpanRows => {
  const groups = keys.groups.map(({ lines }) => lines);
  const contexts = groups.reduce((sum, lines) => sum + lines.length, 0);
  const side = sideRows(ops, 'decoder', architecture, contexts, spans, sources, groups, padded);
  return { ...side, cross: { queries: side.grid, keys, masks: keys.masks } };
};

/** One row for each span, on the line of the context it reads. */
export const queryCells = (ops: Ops, contexts: number, sources: Int32Array): GroupedCells => {
  const lines = Array.from({ length: contexts }, (): number[] => []);
  for (const [span, source] of sources.entries()) lines[source]?.push(span);
  return layGroups(ops, lines, sources.length, [[...lines.keys()]]);
};
