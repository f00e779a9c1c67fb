import { deliver, type Update } from '../../nn/layers.ts';
import type { Ops, Tensor, Variable } from '../../nn/ops.ts';
import type { Pace } from '../../nn/pace.ts';
import type { BlockTokens, Head, HeadBlock, HeadTrace } from './head.ts';
import { hiddenOf } from './head.ts';

/** Masks of the triangular parts, ones where a weight lives: gradients elsewhere are cut to zero. */
export type TriangleMasks = ReadonlyMap<Variable, Tensor>;

/** dLogits [N, W] → updates of the head's parameters, and dHistories [N, E]. */
export const headBackward = async (
  ops: Ops,
  head: Head,
  trace: HeadTrace,
  dLogits: Tensor,
  masks: TriangleMasks,
  update: Update,
  pace: Pace,
): Promise<Tensor> => {
  const deliverMasked = (parameter: Variable, gradient: Tensor) => {
    const mask = masks.get(parameter);
    deliver(ops, update, parameter, mask ? ops.multiply(gradient, mask) : gradient);
    ops.free(gradient);
  };
  const width = trace.histories.shape[1] as number;
  deliver(ops, update, head.logitBias, ops.sumRows(dLogits));
  const dHidden = await secondLayerBackward(ops, head, trace, dLogits, width, deliverMasked, pace); // [N, E+W-1]
  const dSum = ops.reluGradient(dHidden, trace.hidden);
  deliver(ops, update, head.hiddenBias, ops.sumRows(dSum));
  const [rows, hidden] = dSum.shape as [number, number];
  const dHistory = ops.slice(dSum, [0, 0], [rows, width]); // [N, E]
  const dCodes = ops.slice(dSum, [0, width], [rows, hidden - width]); // [N, W-1]
  const dHistories = ops.add(
    ops.matMul(dHistory, head.historyToHistory, { transposeB: true }),
    ops.matMul(dCodes, head.historyToCodes, { transposeB: true }),
  );
  deliverMasked(head.historyToHistory, ops.matMul(trace.histories, dHistory, { transposeA: true }));
  deliverMasked(head.historyToCodes, ops.matMul(trace.histories, dCodes, { transposeA: true }));
  await pace.rest();
  for (const [i, block] of head.blocks.entries()) {
    codeGradients(ops, block, trace.tokens[i] as BlockTokens, dCodes, deliverMasked);
    await pace.rest();
  }
  return dHistories;
};

/** Layer 2, from the last block to the first: the hidden units before block i get theirs from blocks i, i+1, … */
const secondLayerBackward = async (
  ops: Ops,
  head: Head,
  { hidden }: HeadTrace,
  dLogits: Tensor,
  embedding: number,
  deliverMasked: (parameter: Variable, gradient: Tensor) => void,
  pace: Pace,
): Promise<Tensor> => {
  const rows = dLogits.shape[0] as number;
  const done: Tensor[] = []; // finished columns of dHidden, left to right
  let open: Tensor | undefined; // [N, columns before the later block]
  for (const block of head.blocks.toReversed()) {
    const d = ops.slice(dLogits, [0, block.from], [rows, block.to - block.from]); // [N, w]
    const parts = [ops.matMul(d, block.hiddenToLogits, { transposeB: true })]; // [N, E+from]
    if (block.selfToLogits) parts.push(ops.matMul(d, block.selfToLogits, { transposeB: true })); // [N, w-1]
    const own = ops.concat(parts, 1); // [N, E+to-1]
    const reach = own.shape[1] as number;
    if (open) {
      const tail = (open.shape[1] as number) - reach;
      if (tail > 0) done.unshift(ops.slice(open, [0, reach], [rows, tail]));
      open = ops.add(ops.slice(open, [0, 0], [rows, reach]), own);
    } else open = own;
    const [before, self] = hiddenOf(ops, block, hidden, embedding);
    deliverMasked(block.hiddenToLogits, ops.matMul(before, d, { transposeA: true }));
    if (self && block.selfToLogits)
      deliverMasked(block.selfToLogits, ops.matMul(self, d, { transposeA: true }));
    await pace.rest();
  }
  return ops.concat(open ? [open, ...done] : done, 1);
};

/** Layer 1's weights for one block of codes: only rows of codes that occur get anything. */
const codeGradients = (
  ops: Ops,
  { from, to, codesToSelf, codesToRest }: HeadBlock,
  { columns, rows: rowOf }: BlockTokens,
  dCodes: Tensor,
  deliverMasked: (parameter: Variable, gradient: Tensor) => void,
): void => {
  const [rows, hidden] = dCodes.shape as [number, number];
  const gradient = (first: number, end: number) =>
    ops.segmentSumGradient(ops.slice(dCodes, [0, first], [rows, end - first]), columns, rowOf, to - from);
  if (codesToSelf) deliverMasked(codesToSelf, gradient(from, Math.min(to, hidden)));
  if (codesToRest) deliverMasked(codesToRest, gradient(to, hidden));
};
