import { type Backward, deliver, type Forward } from '../../../nn/layers/layers.ts';
import type { Ops, Tensor, Variable } from '../../../nn/ops/ops.ts';
import {
  type BlockTokens,
  codeBlockCount,
  type Head,
  type HeadBlock,
  type HeadTrace,
  hiddenOf,
  otherReads,
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
  pass: Backward,
  head: Head,
  trace: HeadTrace,
  { codeLogits, otherLogits }: HeadLogits,
  byHistory: RowsByHistory,
): Promise<Tensor> => {
  const { ops, pace } = pass;
  const deliverPart: DeliverPart = (parameter, gradient, triangle) => {
    const live = triangle ? ops.upperTriangle(gradient, triangle === 'strict') : gradient;
    deliver(pass, parameter, live);
    if (triangle) ops.free(gradient);
  };
  const [count, width] = trace.histories.shape as [number, number];
  const codeBlocks = codeBlockCount(head);
  const units = width + head.codes;
  deliver(pass, head.logitBias, ops.concat([codeLogits, otherLogits].map(ops.sumRows), 0));
  const layer = { ops, width, deliverPart, pace };
  const sumByHistory = (d: Tensor) => ops.segmentSum(d, byHistory.rows, byHistory.histories, count);
  const [dBefore, dOwnHidden] = otherLayerBackward(layer, head, trace, otherLogits, sumByHistory);
  const codes = head.blocks.slice(0, codeBlocks);
  const dCodeHidden = await secondLayerBackward(layer, codes, trace.codeHidden, codeLogits, dBefore); // [H, E+C]
  const all = units + (trace.ownHidden.shape[1] as number);
  const through = (d: Tensor, hidden: Tensor, mask: Tensor | undefined) =>
    ops.reluGradient(mask ? ops.multiply(d, mask) : d, hidden);
  const dTail = through(dOwnHidden, trace.ownHidden, trace.masks?.[1]); // [N, W-1-C]
  const dHead = through(dCodeHidden, trace.codeHidden, trace.masks?.[0]); // [H, E+C]
  const dSum = ops.concat([dHead, sumByHistory(dTail)], 1); // [H, E+W-1]
  deliver(pass, head.hiddenBias, ops.sumRows(dSum));
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

interface SecondLayer extends Forward {
  /** Of the history, which the hidden units begin with. */
  width: number;
  deliverPart: DeliverPart;
}

/**
 * `own` [M, reach] added to the first columns of what later blocks gave, and the finished columns after them.
 */
const addToFirst = (ops: Ops, later: Tensor | undefined, own: Tensor): Tensor[] => {
  if (!later) return [own];
  const [rows, reach] = own.shape as [number, number];
  const all = later.shape[1] as number;
  const sum = ops.add(ops.slice(later, [0, 0], [rows, reach]), own);
  return reach < all ? [sum, ops.slice(later, [0, reach], [rows, all - reach])] : [sum];
};

/**
 * Layer 2 of the codes' blocks, from the last to the first: the hidden units before block i get theirs from
 * blocks i, i+1, …; `after` is the gradient from later columns. dLogits [H, C] → dHidden [H, E+C].
 */
const secondLayerBackward = async (
  { ops, width, deliverPart, pace }: SecondLayer,
  blocks: readonly HeadBlock[],
  hidden: Tensor,
  dLogits: Tensor,
  after: Tensor,
): Promise<Tensor> => {
  const rows = dLogits.shape[0] as number;
  const done: Tensor[] = []; // finished columns of dHidden, left to right
  let open: Tensor | undefined = after; // [H, columns before the later block]
  for (const block of blocks.toReversed()) {
    const later: Tensor | undefined = open;
    const [before, tail]: Tensor[] = ops.tidy(() => {
      const d = ops.slice(dLogits, [0, block.from], [rows, block.to - block.from]); // [H, w]
      const parts = [ops.matMul(d, block.hiddenToLogits, { transposeB: true })]; // [H, E+from]
      if (block.selfToLogits) parts.push(ops.matMul(d, block.selfToLogits, { transposeB: true })); // [H, w-1]
      secondLayerGradients(ops, block, hiddenOf(ops, block, hidden, width), d, deliverPart);
      return addToFirst(ops, later, ops.concat(parts, 1));
    });
    open = before;
    if (tail) done.unshift(tail);
    if (later && later !== after) ops.free(later);
    await pace.rest();
  }
  return ops.concat(open ? [open, ...done] : done, 1);
};

/**
 * Layer 2 of the blocks behind the codes: dLogits [N, W-C] → what hidden units get that rows of a history
 * share [H, E+C], and those of each row's own [N, W-1-C].
 */
const otherLayerBackward = (
  { ops, deliverPart }: SecondLayer,
  head: Head,
  { codeHidden, ownHidden }: HeadTrace,
  dLogits: Tensor,
  sumByHistory: (d: Tensor) => Tensor,
): readonly [Tensor, Tensor] =>
  ops.tidy(() => {
    const rows = dLogits.shape[0] as number;
    const done: Tensor[] = [];
    let open: Tensor | undefined;
    let dShared: Tensor | undefined;
    for (const block of head.blocks.slice(codeBlockCount(head)).toReversed()) {
      const d = ops.slice(dLogits, [0, block.from - head.codes], [rows, block.to - block.from]); // [N, w]
      const dByHistory = sumByHistory(d); // [H, w]
      const { shared, own, before, self } = otherReads(ops, head, block, ownHidden);
      const given = ops.matMul(dByHistory, shared, { transposeB: true }); // [H, E+C]
      dShared = dShared ? ops.add(dShared, given) : given;
      const parts = [own, block.selfToLogits].filter((weights) => weights !== undefined);
      const slopes = parts.map((weights) => ops.matMul(d, weights, { transposeB: true }));
      if (slopes.length > 0) {
        const [first, tail] = addToFirst(ops, open, ops.concat(slopes, 1));
        open = first;
        if (tail) done.unshift(tail);
      }
      const gradients = [ops.matMul(codeHidden, dByHistory, { transposeA: true })];
      if (before) gradients.push(ops.matMul(before, d, { transposeA: true }));
      deliverPart(block.hiddenToLogits, ops.concat(gradients, 0));
      if (self && block.selfToLogits)
        deliverPart(block.selfToLogits, ops.matMul(self, d, { transposeA: true }), 'strict');
    }
    if (!dShared) throw new RangeError('no block behind the codes');
    return [dShared, ops.concat(open ? [open, ...done] : done, 1)] as const;
  });

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
