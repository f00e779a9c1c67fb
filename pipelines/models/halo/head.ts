/**
 * The code-level module of HALO: two linear layers whose input and output share one order (history, then columns of
 * the visit), each output seeing only inputs at or before its own place. The logit of column c is the second layer's
 * output before it, so it sees the history and columns < c. The reference multiplies square matrices by a mask;
 * here the live triangle alone is stored, as blocks of columns, and the multi-hot half of layer 1's input is summed
 * sparsely. N rows, E embedding, W width, w width of one block.
 */
import type { Ops, Tensor, Variable } from '../../nn/ops.ts';
import type { Pace } from '../../nn/pace.ts';
import { type Architecture, layoutOf } from './architecture.ts';
import { type Block, columnBlocks, headName } from './parts.ts';

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
    blocks: columnBlocks(layoutOf(architecture).width, blockSize).map((block, i) => ({
      ...block,
      ...maybe('codesToSelf', headName(1, 'diagonal', i)),
      ...maybe('codesToRest', headName(1, 'rest', i)),
      hiddenToLogits: find(headName(2, 'rest', i)),
      ...maybe('selfToLogits', headName(2, 'diagonal', i)),
    })),
  };
};

/** Tokens of the target sets that fall into one block: column within the block, and row. */
export interface BlockTokens {
  columns: Tensor;
  rows: Tensor;
}

/** Cuts target tokens by block and uploads them. */
const tokensByBlock = (
  ops: Ops,
  blocks: readonly Block[],
  targets: { tokens: Int32Array; rows: Int32Array },
): BlockTokens[] =>
  blocks.map(({ from, to }) => {
    const inside = [...targets.tokens.keys()].filter((i) => {
      const token = targets.tokens[i] as number;
      return token >= from && token < to;
    });
    return {
      columns: ops.uploadIndices(Int32Array.from(inside, (i) => (targets.tokens[i] as number) - from)),
      rows: ops.uploadIndices(Int32Array.from(inside, (i) => targets.rows[i] as number)),
    };
  });

export interface HeadTrace {
  histories: Tensor; // [N, E]
  tokens: BlockTokens[];
  hidden: Tensor; // [N, E+W-1] after the relu
  logits: Tensor; // [N, W]
}

/** What the target sets add to the hidden units at columns: [N, W-1]. */
const codeSum = (ops: Ops, head: Head, tokens: BlockTokens[], rows: number): Tensor | undefined => {
  let later: Tensor | undefined; // [N, columns from `to` on], blocks so far
  for (const [i, block] of [...head.blocks.entries()].reverse()) {
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

/** Histories [N, E] and target sets → logits [N, W]; targets are seen only by the columns after them. */
export const headForward = async (
  ops: Ops,
  head: Head,
  histories: Tensor,
  targets: { tokens: Int32Array; rows: Int32Array },
  pace: Pace,
): Promise<HeadTrace> => {
  const [rows, width] = histories.shape as [number, number];
  const tokens = tokensByBlock(ops, head.blocks, targets);
  const hidden = ops.tidy(() => {
    const fromHistory = ops.matMul(histories, head.historyToHistory); // [N, E]
    const toCodes = ops.matMul(histories, head.historyToCodes); // [N, W-1]
    const codes = codeSum(ops, head, tokens, rows);
    const sum = ops.concat([fromHistory, codes ? ops.add(toCodes, codes) : toCodes], 1); // [N, E+W-1]
    return ops.relu(ops.add(sum, head.hiddenBias));
  });
  await pace.rest();
  const logits: Tensor[] = [];
  for (const block of head.blocks) {
    logits.push(ops.tidy(() => blockLogits(ops, block, ...hiddenOf(ops, block, hidden, width))));
    await pace.rest();
  }
  return { histories, tokens, hidden, logits: ops.add(ops.concat(logits, 1), head.logitBias) };
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

/** [N, w] without the bias: from the hidden units before the block, and those at its own columns but the last. */
export const blockLogits = (
  ops: Ops,
  block: HeadBlock,
  before: Tensor, // [N, E+from]
  self: Tensor | undefined, // [N, w-1]
): Tensor => {
  const logits = ops.matMul(before, block.hiddenToLogits);
  return self && block.selfToLogits ? ops.add(logits, ops.matMul(self, block.selfToLogits)) : logits;
};
