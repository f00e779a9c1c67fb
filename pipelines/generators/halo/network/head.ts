/**
 * The code-level module of HALO: two linear layers whose input and output share one order (history, then
 * columns of the visit), each output seeing only inputs at or before its own place. The logit of column c is
 * the second layer's output before it, so it sees the history and columns < c. The reference multiplies
 * square matrices by a mask; here the live triangle alone is stored, as blocks of columns, and the multi-hot
 * half of layer 1's input is summed sparsely. N rows, H histories, E embedding, C codes, W width, w width of
 * one block.
 */

import { layoutOf } from '../../../generation/record-sets.ts';
import type { Drop } from '../../../nn/layers/dropout.ts';
import type { Forward } from '../../../nn/layers/layers.ts';
import type { Operand, Ops, Tensor, Variable } from '../../../nn/ops/ops.ts';
import type { Architecture } from './architecture.ts';
import type { Batch } from './batch.ts';
import { type Block, columnBlocks, headName } from './weight-layout.ts';

/** Layer 1 reads the block's codes; layer 2 writes the block's logits. A part of no cells is absent. */
export interface HeadBlock extends Block {
  codesToSelf?: Variable; // [w, w] triangular: to the hidden units at the same columns
  codesToRest?: Variable; // [w, W-1-to]: to the hidden units after the block
  hiddenToLogits: Variable; // [E+from, w]: from the hidden units before the block
  selfToLogits?: Variable; // [w-1, w] triangular: from the hidden units at the same columns
}

export interface Head {
  historyToHistory: Variable; // [E, E] triangular
  historyToCodes: Variable; // [E, W-1]
  hiddenBias: Variable; // [E+W-1]
  logitBias: Variable; // [W]
  /** Code columns, which come first. */
  codes: number;
  blocks: HeadBlock[];
}

/** The head's parameters by the names of their parts. */
export const headOf = (
  architecture: Architecture,
  blockSize: number,
  find: (name: string) => Variable,
  has: (name: string) => boolean,
): Head => {
  const maybe = (key: string, name: string) => (has(name) ? { [key]: find(name) } : {});
  return {
    historyToHistory: find('ehr_head.auto1.history.diagonal'),
    historyToCodes: find('ehr_head.auto1.history.rest'),
    hiddenBias: find('ehr_head.auto1.bias'),
    logitBias: find('ehr_head.auto2.bias'),
    codes: architecture.codes,
    blocks: columnBlocks(layoutOf(architecture), blockSize).map((block, i) => ({
      ...block,
      ...maybe('codesToSelf', headName(1, 'diagonal', i)),
      ...maybe('codesToRest', headName(1, 'rest', i)),
      hiddenToLogits: find(headName(2, 'rest', i)),
      ...maybe('selfToLogits', headName(2, 'diagonal', i)),
    })),
  };
};

/** Tokens of the target sets that fall into one block: column within the block, and row or history. */
export interface BlockTokens {
  columns: Tensor;
  rows: Tensor;
}

/** What the head reads. */
export interface HeadInputs {
  histories: Tensor; // [H, E]
  historyOf: Tensor; // [N] int
  tokens: BlockTokens[]; // of each block
}

/**
 * Cuts a batch's target tokens by block and uploads them. Code columns are computed once per history, so
 * their tokens lie in histories; those that rows share have none, for there only labels follow.
 */
export const tokensByBlock = (ops: Ops, head: Head, { targets, historyOf }: Batch): BlockTokens[] =>
  head.blocks.map(({ from, to }) => {
    const inside = [...targets.tokens.keys()].filter((i) => {
      const token = targets.tokens[i] as number;
      return token >= from && token < to;
    });
    const rows = Int32Array.from(inside, (i) => targets.rows[i] as number);
    if (from < head.codes) {
      rows.forEach((row, i) => {
        rows[i] = historyOf[row] as number;
      });
      if (rows.includes(0)) throw new RangeError('codes follow the start token, where only labels may');
    }
    return {
      columns: ops.uploadIndices(Int32Array.from(inside, (i) => (targets.tokens[i] as number) - from)),
      rows: ops.uploadIndices(rows),
    };
  });

export interface HeadTrace extends HeadInputs {
  /** Of `codeHidden` and `ownHidden`; none where nothing is dropped. */
  masks: readonly [Tensor, Tensor] | undefined;
  codeHidden: Tensor; // [H, E+C] after the relu
  ownHidden: Tensor; // [N, W-1-C] after the relu: at the columns of labels and special tokens
  codeLogits: Tensor; // [H, C]
  otherLogits: Tensor; // [N, W-C] of labels and special tokens
}

/**
 * What tokens of some blocks, the last ones first, add to the hidden units from the first of these columns
 * on.
 */
const codeSum = (
  ops: Ops,
  blocks: readonly HeadBlock[],
  tokens: readonly BlockTokens[],
  rows: number,
): Tensor | undefined => {
  let later: Tensor | undefined; // [rows, columns from `to` on], blocks so far
  for (const [i, block] of [...blocks.entries()].reverse()) {
    const { columns, rows: rowOf } = tokens[i] as BlockTokens;
    const sum = (weights: Variable) => ops.segmentSum(weights, columns, rowOf, rows);
    const own = block.codesToSelf ? [sum(block.codesToSelf)] : [];
    if (block.codesToRest) {
      const rest = sum(block.codesToRest);
      own.push(later ? ops.add(rest, later) : rest);
    }
    if (own.length > 0) later = ops.concat(own, 1);
  }
  return later;
};

/** The number of blocks that hold codes; they come first. */
export const codeBlockCount = ({ blocks, codes }: Head): number =>
  blocks.filter(({ from }) => from < codes).length;

/**
 * Histories [H, E] and target sets → logits of codes [H, C] and of the rest [N, W-C]. A column sees only
 * those before it and labels come after all codes, so rows of one history with no code among their targets
 * have the same codes' logits.
 */
export const headForward = async (
  { ops, pace }: Forward,
  head: Head,
  inputs: HeadInputs,
  drop?: Drop,
): Promise<HeadTrace> => {
  const { histories, historyOf, tokens } = inputs;
  const [count, width] = histories.shape as [number, number];
  const [rows] = historyOf.shape as [number];
  const units = width + head.codes;
  const codeBlocks = codeBlockCount(head);
  const sum = ops.tidy(() => {
    const fromHistory = ops.matMul(histories, head.historyToHistory); // [H, E]
    const toCodes = ops.matMul(histories, head.historyToCodes); // [H, W-1]
    const codes = codeSum(ops, head.blocks.slice(0, codeBlocks), tokens, count);
    const all = ops.concat([fromHistory, codes ? ops.add(toCodes, codes) : toCodes], 1);
    return ops.add(all, head.hiddenBias); // [H, E+W-1]
  });
  const masks = drop && ([drop([count, units]), drop([rows, (sum.shape[1] as number) - units])] as const);
  const keep = (hidden: Tensor, side: 0 | 1) => (masks ? ops.multiply(hidden, masks[side]) : hidden);
  const codeHidden = ops.tidy(() => keep(ops.relu(ops.slice(sum, [0, 0], [count, units])), 0)); // [H, E+C]
  const ownHidden = ops.tidy(() => {
    const rest = ops.slice(sum, [0, units], [count, (sum.shape[1] as number) - units]);
    const shared = ops.gather(rest, historyOf); // [N, W-1-C]
    const own = codeSum(ops, head.blocks.slice(codeBlocks), tokens.slice(codeBlocks), rows);
    return keep(ops.relu(own ? ops.add(shared, own) : shared), 1);
  });
  await pace.rest();
  const logits: Tensor[] = [];
  for (const [i, block] of head.blocks.entries()) {
    const compute = () =>
      i < codeBlocks
        ? blockLogits(ops, block, ...hiddenOf(ops, block, codeHidden, width))
        : otherBlockLogits(ops, head, block, { codeHidden, ownHidden, historyOf });
    logits.push(ops.tidy(compute));
    await pace.rest();
  }
  const join = (parts: Tensor[], from: number, to: number) =>
    ops.tidy(() => ops.add(ops.concat(parts, 1), ops.slice(head.logitBias, [from], [to - from])));
  const codeLogits = join(logits.slice(0, codeBlocks), 0, head.codes);
  const otherLogits = join(logits.slice(codeBlocks), head.codes, head.logitBias.shape[0] as number);
  return { ...inputs, masks, codeHidden, ownHidden, codeLogits, otherLogits };
};

/** The hidden units a block's logits read: those before it, and those at its own columns but the last. */
export const hiddenOf = (
  ops: Ops,
  block: HeadBlock,
  hidden: Tensor,
  embedding: number,
): [Tensor, Tensor | undefined] => {
  const rows = hidden.shape[0] as number;
  const before = ops.slice(hidden, [0, 0], [rows, embedding + block.from]);
  if (!block.selfToLogits) return [before, undefined];
  return [before, ops.slice(hidden, [0, embedding + block.from], [rows, block.to - block.from - 1])];
};

/**
 * [N, w] without the bias: from the hidden units before the block, and those at its own columns but the last.
 */
export const blockLogits = (
  ops: Ops,
  block: HeadBlock,
  before: Tensor, // [N, E+from]
  self: Tensor | undefined, // [N, w-1]
): Tensor => {
  const logits = ops.matMul(before, block.hiddenToLogits);
  return self && block.selfToLogits ? ops.add(logits, ops.matMul(self, block.selfToLogits)) : logits;
};

/**
 * A block behind the codes reads hidden units up to the codes' last, which all rows of a history share, and
 * units of each row's own after them. Its weights for both, and the units of its own rows; a part of no cells
 * is absent.
 */
export const otherReads = (
  ops: Ops,
  { codes }: Head,
  { from, to, hiddenToLogits, selfToLogits }: HeadBlock,
  ownHidden: Tensor, // [N, W-1-C]
): { shared: Operand; own?: Tensor; before?: Tensor; self?: Tensor } => {
  const rows = ownHidden.shape[0] as number;
  const [units, width] = hiddenToLogits.shape as [number, number];
  const past = from - codes;
  const self = selfToLogits && { self: ops.slice(ownHidden, [0, past], [rows, to - from - 1]) };
  if (past === 0) return { shared: hiddenToLogits, ...self };
  return {
    shared: ops.slice(hiddenToLogits, [0, 0], [units - past, width]), // [E+C, w]
    own: ops.slice(hiddenToLogits, [units - past, 0], [past, width]), // [from-C, w]
    before: ops.slice(ownHidden, [0, 0], [rows, past]), // [N, from-C]
    ...self,
  };
};

/**
 * [N, w] without the bias, of a block behind the codes: the part that rows share is computed once per
 * history.
 */
const otherBlockLogits = (
  ops: Ops,
  head: Head,
  block: HeadBlock,
  { codeHidden, ownHidden, historyOf }: Pick<HeadTrace, 'codeHidden' | 'ownHidden' | 'historyOf'>,
): Tensor => {
  const { shared, own, before, self } = otherReads(ops, head, block, ownHidden);
  let logits = ops.gather(ops.matMul(codeHidden, shared), historyOf);
  if (before && own) logits = ops.add(logits, ops.matMul(before, own));
  if (self && block.selfToLogits) logits = ops.add(logits, ops.matMul(self, block.selfToLogits));
  return logits;
};
