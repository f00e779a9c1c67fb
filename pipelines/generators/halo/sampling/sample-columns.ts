/**
 * Exact ancestral sampling of a visit's columns, block by block: column c is present when its uniform u < p(c
 * | history, columns < c). What earlier blocks add to a block's logits is final, so it is one product of
 * matrices for all patients; inside the block, logits first assume that no column is present, and each one
 * sampled corrects the later ones. The work is one triangular product per visit, however many codes are
 * sampled. N patients, E embedding, W width.
 */

import type { Pace } from '../../../kernel/pace.ts';
import { tidyTrace } from '../../../nn/layers/trace.ts';
import type { Ops, Tensor } from '../../../nn/ops/ops.ts';
import { blockLogits, type Head, type HeadBlock } from '../network/head.ts';

/** The triangular weights of one block on our side. */
export interface BlockTriangles {
  codesToSelf: Float32Array | undefined; // [w, units], units = w, or w - 1 in the last block
  selfToLogits: Float32Array | undefined; // [w - 1, w]
}

/** Downloads what sampling inside the blocks reads. */
export const trianglesOf = (ops: Ops, head: Head): BlockTriangles[] =>
  head.blocks.map(({ codesToSelf, selfToLogits }) => ({
    codesToSelf: codesToSelf && ops.download(codesToSelf),
    selfToLogits: selfToLogits && ops.download(selfToLogits),
  }));

/** One patient's row of a block: logits and sums before the relu, both corrected in place. */
interface BlockRow {
  logits: Float32Array; // [w]
  sums: Float32Array; // [units]
}

/** What column c being present does to the hidden units from c on, and these to the logits after them. */
const correct = (
  { logits, sums }: BlockRow,
  c: number,
  { codesToSelf, selfToLogits }: BlockTriangles,
): void => {
  if (!codesToSelf) return;
  const width = logits.length;
  const units = sums.length;
  for (let unit = c; unit < units; unit++) {
    const before = sums[unit] as number;
    sums[unit] = before + (codesToSelf[c * units + unit] as number);
    const change = Math.max(sums[unit] as number, 0) - Math.max(before, 0);
    if (change === 0 || !selfToLogits) continue;
    for (let later = unit + 1; later < width; later++)
      logits[later] = (logits[later] as number) + change * (selfToLogits[unit * width + later] as number);
  }
};

/** Which columns can be sampled. */
interface Rules {
  /** 1 for the columns that can occur at this position; the others stay absent. */
  allowed: Uint8Array;
  /** Per column the group of which a visit has at most one, -1: none; absent where there are no groups. */
  groups?: Int32Array | undefined;
}

/** The same columns of several rules. */
const cutRules = ({ allowed, groups }: Rules, from: number, to: number): Rules => ({
  allowed: allowed.subarray(from, to),
  groups: groups?.subarray(from, to),
});

/** One patient's uniforms of some columns, and the groups that the visit has a code of. */
interface PatientDraws {
  uniforms: Float64Array;
  taken: Set<number>;
}

/** Samples one block of one patient; uniforms and rules are those of the block's columns. */
const sampleBlock = (
  row: BlockRow,
  triangles: BlockTriangles,
  { uniforms, taken }: PatientDraws,
  { allowed, groups }: Rules,
): number[] => {
  const sampled: number[] = [];
  for (let c = 0; c < row.logits.length; c++) {
    const group = groups?.[c] ?? -1;
    if (allowed[c] === 0 || taken.has(group)) continue;
    const probability = 1 / (1 + Math.exp(-(row.logits[c] as number)));
    if ((uniforms[c] as number) >= probability) continue;
    sampled.push(c);
    if (group >= 0) taken.add(group);
    correct(row, c, triangles);
  }
  return sampled;
};

/** What is to be sampled for N patients at one position. */
export interface ColumnRequest extends Rules {
  histories: Tensor; // [N, E], or [1, E] where all patients have the same
  patients: number;
  /** Patient's row → its uniforms of all columns. */
  uniformsOf(row: number): Float64Array;
}

/**
 * The hidden units of M rows, between two blocks of columns: M = N, or one row while all patients are alike.
 */
interface Frontier {
  hidden: Tensor; // [M, E+from] final
  open: Tensor; // [M, W-1-from] sums before the relu, of columns that are still to be sampled
}

const frontierOf = (ops: Ops, head: Head, histories: Tensor): Frontier => {
  const [rows, embedding] = histories.shape as [number, number];
  const products = [head.historyToHistory, head.historyToCodes].map((weights) =>
    ops.matMul(histories, weights),
  );
  const sum = ops.add(ops.concat(products, 1), head.hiddenBias); // [M, E+W-1]
  return {
    hidden: ops.relu(ops.slice(sum, [0, 0], [rows, embedding])),
    open: ops.slice(sum, [0, embedding], [rows, (sum.shape[1] as number) - embedding]),
  };
};

/** What was sampled in a block: columns within it by row, and its sums where they changed. */
interface SampledBlock {
  columns: number[];
  rows: number[];
  corrected?: Float32Array;
}

/** The frontier after a block; the one before is freed. */
const passBlock = (
  ops: Ops,
  block: HeadBlock,
  { hidden, open }: Frontier,
  sampled: SampledBlock,
): Frontier => {
  const [rows, width] = open.shape as [number, number];
  const units = Math.min(block.to - block.from, width);
  const { columns, rows: rowOf, corrected } = sampled;
  const own = corrected ? ops.upload(corrected, [rows, units]) : ops.slice(open, [0, 0], [rows, units]);
  const rest = ops.slice(open, [0, units], [rows, width - units]);
  const place = (values: number[]) => ops.uploadIndices(Int32Array.from(values));
  const after = {
    hidden: ops.concat([hidden, ops.relu(own)], 1),
    open:
      block.codesToRest && columns.length > 0
        ? ops.add(rest, ops.segmentSum(block.codesToRest, place(columns), place(rowOf), rows))
        : rest,
  };
  for (const past of [hidden, open]) ops.free(past);
  return after;
};

/** The set of each patient's present columns, ascending. Belongs to a scope of the caller's. */
export const sampleColumns = async (
  ops: Ops,
  head: Head,
  triangles: readonly BlockTriangles[],
  { histories, patients, uniformsOf, ...rules }: ColumnRequest,
  pace: Pace,
): Promise<number[][]> => {
  const sets: number[][] = Array.from({ length: patients }, () => []);
  const draws = sets.map((_, row): PatientDraws => ({ uniforms: uniformsOf(row), taken: new Set() }));
  const { allowed } = rules;
  const repeat = (row: Tensor) => ops.gather(row, ops.uploadIndices(new Int32Array(patients)));
  let frontier = frontierOf(ops, head, histories);
  const last = allowed.lastIndexOf(1);
  for (const [i, block] of head.blocks.entries()) {
    if (block.from > last) break;
    let sampled: SampledBlock = { columns: [], rows: [] };
    if (allowed.subarray(block.from, block.to).includes(1)) {
      const { hidden, open } = frontier;
      if (open.shape[0] !== patients) frontier = { hidden: repeat(hidden), open: repeat(open) };
      sampled = sampleRows(ops, head, block, frontier, triangles[i] as BlockTriangles, draws, rules);
    }
    for (const [k, column] of sampled.columns.entries())
      sets[sampled.rows[k] as number]?.push(block.from + column);
    const before = frontier;
    frontier = tidyTrace(ops, () => passBlock(ops, block, before, sampled));
    await pace.rest();
  }
  return sets;
};

/** Samples one block of all patients. */
const sampleRows = (
  ops: Ops,
  head: Head,
  block: HeadBlock,
  { hidden, open }: Frontier,
  triangles: BlockTriangles,
  draws: readonly PatientDraws[],
  rules: Rules,
): SampledBlock => {
  const columns: number[] = [];
  const rows: number[] = [];
  const here = cutRules(rules, block.from, block.to);
  const width = block.to - block.from;
  const units = Math.min(width, open.shape[1] as number);
  const sums = ops.slice(open, [0, 0], [draws.length, units]);
  const bias = ops.slice(head.logitBias, [block.from], [width]);
  const self = block.selfToLogits && ops.relu(ops.slice(sums, [0, 0], [draws.length, width - 1]));
  const logits = ops.download(ops.add(blockLogits(ops, block, hidden, self), bias)); // [N, w]
  const corrected = ops.download(sums);
  for (const [row, { uniforms, taken }] of draws.entries()) {
    const own = { uniforms: uniforms.subarray(block.from, block.to), taken };
    const rowState = {
      logits: logits.subarray(row * width, (row + 1) * width),
      sums: corrected.subarray(row * units, (row + 1) * units),
    };
    for (const column of sampleBlock(rowState, triangles, own, here)) {
      columns.push(column);
      rows.push(row);
    }
  }
  return columns.length > 0 ? { columns, rows, corrected } : { columns, rows };
};
