/**
 * A batch's rows on the device. Encoder and decoder both compute one row per prompt and token, nothing padded: first
 * the prompt rows of all sequences, then their tokens. B contexts, S spans, P prompt rows each.
 */
import { causalMask, type RowGrid } from '../../nn/attention.ts';
import { type Cells, layCells, paddingMask } from '../../nn/cells.ts';
import type { CrossGrid } from '../../nn/cross-attention.ts';
import type { Ops, Tensor } from '../../nn/ops.ts';
import { longestSequence, type PromptArchitecture, promptRows } from './architecture.ts';
import { type Sequences, type SpanBatch, sequenceCount } from './batch.ts';
import { positionOffset, type Side } from './parts.ts';

/** What a side reads: R = sequences · P + tokens rows. */
export interface SideRows {
  tokens: Tensor; // [tokens] int
  positions: Tensor; // [R] int, row of the position table
  rows: number;
  /** Rows of each sequence in order. */
  lines: Int32Array[];
  grid: RowGrid;
}

/** Rows of each sequence: its prompts, then its tokens. */
const linesOf = ({ offsets }: Sequences, prompts: number): Int32Array[] => {
  const count = offsets.length - 1;
  return Array.from({ length: count }, (_, i) => {
    const first = offsets[i] as number;
    const length = (offsets[i + 1] as number) - first;
    return Int32Array.from({ length: prompts + length }, (_, k) =>
      k < prompts ? i * prompts + k : count * prompts + first + k - prompts,
    );
  });
};

const checkLengths = ({ offsets }: Sequences, side: Side, architecture: PromptArchitecture): void => {
  const most = longestSequence(architecture);
  for (let i = 0; i + 1 < offsets.length; i++) {
    const length = (offsets[i + 1] as number) - (offsets[i] as number);
    const least = promptRows(architecture) > 0 ? 0 : 1;
    if (length > most || length < least)
      throw new RangeError(
        `${side} sequence ${i} has ${length} tokens; between ${least} and ${most} expected`,
      );
  }
};

const sideRows = (ops: Ops, side: Side, architecture: PromptArchitecture, sequences: Sequences): SideRows => {
  checkLengths(sequences, side, architecture);
  const prompts = promptRows(architecture);
  const lines = linesOf(sequences, prompts);
  const rows = sequences.tokens.length + lines.length * prompts;
  const positions = new Int32Array(rows);
  for (const line of lines)
    line.forEach((row, position) => {
      positions[row] = position + positionOffset;
    });
  const cells = layCells(ops, lines, rows);
  const mask = side === 'encoder' ? paddingMask(ops, lines, cells.length) : causalMask(ops, cells.length);
  return {
    tokens: ops.uploadIndices(sequences.tokens),
    positions: ops.uploadIndices(positions),
    rows,
    lines,
    grid: { ...cells, mask },
  };
};

/** Contexts as the encoder reads them. Throws RangeError for one that is too long. Belongs to the open scope. */
export const contextRows = (ops: Ops, architecture: PromptArchitecture, contexts: Sequences): SideRows =>
  sideRows(ops, 'encoder', architecture, contexts);

/** What the decoder reads and where from. */
export interface SpanRows extends SideRows {
  cross: CrossGrid;
  /** [S · P] prompt row of the contexts that each prompt row of the spans repeats. */
  promptRows: Tensor;
}

/** Lines of one grid per context: the queries of all that read it. */
export const queryCells = (
  ops: Ops,
  contexts: number,
  sources: Int32Array,
  linesOfSpans: readonly ArrayLike<number>[],
  rows: number,
): Cells => {
  const lines = Array.from({ length: contexts }, (): number[] => []);
  for (const [span, line] of linesOfSpans.entries()) {
    const readers = lines[sources[span] as number];
    if (!readers)
      throw new RangeError(`span ${span} reads context ${sources[span]}, of ${contexts} there are`);
    for (let i = 0; i < line.length; i++) readers.push(line[i] as number);
  }
  return layCells(ops, lines, rows);
};

/** Spans as the decoder reads them. Throws RangeError for one that is too long or reads no context of the batch. */
export const spanRows = (
  ops: Ops,
  architecture: PromptArchitecture,
  { spans, sources }: Pick<SpanBatch, 'spans' | 'sources'>,
  contexts: SideRows,
): SpanRows => {
  const side = sideRows(ops, 'decoder', architecture, spans);
  const prompts = promptRows(architecture);
  const count = contexts.lines.length;
  const repeated = Int32Array.from(
    { length: sequenceCount(spans) * prompts },
    (_, i) => (sources[Math.floor(i / prompts)] as number) * prompts + (i % prompts),
  );
  return {
    ...side,
    cross: {
      queries: queryCells(ops, count, sources, side.lines, side.rows),
      keys: contexts.grid,
      mask: contexts.grid.mask,
    },
    promptRows: ops.uploadIndices(repeated),
  };
};
