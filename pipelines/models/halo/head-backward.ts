import { deliver, type Update } from '../../nn/layers.ts';
import type { Ops, Tensor, Variable } from '../../nn/ops.ts';
import type { Pace } from '../../nn/pace.ts';
import {
  type BlockTokens,
  codeBlockCount,
  type Head,
  type HeadBlock,
  type HeadTrace,
  hiddenOf,
} from './head.ts';
import type { HeadLogits } from './loss.ts';

/** Hands a gradient over, without what it has outside of the triangle where weights live. */
type DeliverPart = (parameter: Variable, gradient: Tensor, triangle?: 'whole' | 'strict') => void;

/** What sorts rows by the history they share, for sums over them. */
export interface RowsByHistory {
  rows: Tensor; // [N] int
  histories: Tensor; // [N] int, ascending
}

/** dLogits → updates of the head's parameters, and dHistories [H, E]. */
export const headBackward = async (
  ops: Ops,
  head: Head,
  trace: HeadTrace,
  { codeLogits, otherLogits }: HeadLogits,
  byHistory: RowsByHistory,
  update: Update,
  pace: Pace,
): Promise<Tensor> => {
  const deliverPart: DeliverPart = (parameter, gradient, triangle) => {
    const live = triangle ? ops.upperTriangle(gradient, triangle === 'strict') : gradient;
    deliver(ops, update, parameter, live);
    if (triangle) ops.free(gradient);
  };
  const [count, width] = trace.histories.shape as [number, number];
  const codeBlocks = codeBlockCount(head);
  const units = width + head.codes;
  deliver(ops, update, head.logitBias, ops.concat([codeLogits, otherLogits].map(ops.sumRows), 0));
  const others = head.blocks.slice(codeBlocks);
  const layer = { ops, width, deliverPart, pace };
  const dAll = await secondLayerBackward(layer, others, trace.hidden, otherLogits); // [N, E+W-1]
  const [rows, all] = dAll.shape as [number, number];
  const sumByHistory = (d: Tensor) => ops.segmentSum(d, byHistory.rows, byHistory.histories, count);
  const dBefore = sumByHistory(ops.slice(dAll, [0, 0], [rows, units])); // [H, E+C]
  const codes = head.blocks.slice(0, codeBlocks);
  const dCodeHidden = await secondLayerBackward(layer, codes, trace.codeHidden, codeLogits, dBefore); // [H, E+C]
  const tail = (of: Tensor) => ops.slice(of, [0, units], [rows, all - units]); // [N, W-1-C]
  const dTail = ops.reluGradient(tail(dAll), tail(trace.hidden));
  const dSum = ops.concat([ops.reluGradient(dCodeHidden, trace.codeHidden), sumByHistory(dTail)], 1); // [H, E+W-1]
  deliver(ops, update, head.hiddenBias, ops.sumRows(dSum));
  const dHistory = ops.slice(dSum, [0, 0], [count, width]); // [H, E]
  const dCodes = ops.slice(dSum, [0, width], [count, all - width]); // [H, W-1]
  const dHistories = ops.add(
    ops.matMul(dHistory, head.historyToHistory, { transposeB: true }),
    ops.matMul(dCodes, head.historyToCodes, { transposeB: true }),
  );
  deliverPart(head.historyToHistory, ops.matMul(trace.histories, dHistory, { transposeA: true }), 'whole');
  deliverPart(head.historyToCodes, ops.matMul(trace.histories, dCodes, { transposeA: true }));
  await pace.rest();
  for (const [i, block] of head.blocks.entries()) {
    const tokens = trace.tokens[i] as BlockTokens;
    if (i < codeBlocks) codeGradients(ops, block, 0, tokens, dCodes, deliverPart);
    else codeGradients(ops, block, head.codes, tokens, dTail, deliverPart);
    await pace.rest();
  }
  return dHistories;
};

interface SecondLayer {
  ops: Ops;
  /** Of the history, which the hidden units begin with. */
  width: number;
  deliverPart: DeliverPart;
  pace: Pace;
}

/**
 * Layer 2 of blocks on end, from the last to the first: the hidden units before block i get theirs from blocks i, i+1,
 * …; `after` is what later columns gave already. dLogits [M, columns] → dHidden [M, as `hidden`, or one less].
 */
const secondLayerBackward = async (
  { ops, width, deliverPart, pace }: SecondLayer,
  blocks: readonly HeadBlock[],
  hidden: Tensor,
  dLogits: Tensor,
  after?: Tensor,
): Promise<Tensor> => {
  const rows = dLogits.shape[0] as number;
  const first = blocks[0]?.from ?? 0;
  const done: Tensor[] = []; // finished columns of dHidden, left to right
  let open = after; // [M, columns before the later block]
  for (const block of blocks.toReversed()) {
    const later = open;
    const [before, tail] = ops.tidy(() => {
      const d = ops.slice(dLogits, [0, block.from - first], [rows, block.to - block.from]); // [M, w]
      const parts = [ops.matMul(d, block.hiddenToLogits, { transposeB: true })]; // [M, E+from]
      if (block.selfToLogits) parts.push(ops.matMul(d, block.selfToLogits, { transposeB: true })); // [M, w-1]
      secondLayerGradients(ops, block, hiddenOf(ops, block, hidden, width), d, deliverPart);
      const own = ops.concat(parts, 1); // [M, E+to-1]
      if (!later) return [own];
      const [reach, all] = [own.shape[1] as number, later.shape[1] as number];
      const sum = ops.add(ops.slice(later, [0, 0], [rows, reach]), own);
      return reach < all ? [sum, ops.slice(later, [0, reach], [rows, all - reach])] : [sum];
    });
    open = before;
    if (tail) done.unshift(tail);
    if (later && later !== after) ops.free(later);
    await pace.rest();
  }
  return ops.concat(open ? [open, ...done] : done, 1);
};

/** Layer 2's weights for one block, after their last use. */
const secondLayerGradients = (
  ops: Ops,
  { hiddenToLogits, selfToLogits }: HeadBlock,
  [before, self]: [Tensor, Tensor | undefined],
  d: Tensor,
  deliverPart: DeliverPart,
): void => {
  deliverPart(hiddenToLogits, ops.matMul(before, d, { transposeA: true }));
  if (self && selfToLogits) deliverPart(selfToLogits, ops.matMul(self, d, { transposeA: true }), 'strict');
};

/** Layer 1's weights for one block of codes: only rows of codes that occur get anything. */
const codeGradients = (
  ops: Ops,
  { from, to, codesToSelf, codesToRest }: HeadBlock,
  first: number, // column that dUnits begins with
  { columns, rows: rowOf }: BlockTokens,
  dUnits: Tensor,
  deliverPart: DeliverPart,
): void => {
  const [rows, count] = dUnits.shape as [number, number];
  const gradient = (begin: number, end: number) =>
    ops.segmentSumGradient(
      ops.slice(dUnits, [0, begin - first], [rows, end - begin]),
      columns,
      rowOf,
      to - from,
    );
  const units = first + count;
  if (codesToSelf) deliverPart(codesToSelf, gradient(from, Math.min(to, units)), 'whole');
  if (codesToRest) deliverPart(codesToRest, gradient(to, units));
};
