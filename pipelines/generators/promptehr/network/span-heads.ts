/**
 * From the decoder's rows to the codes of a span: each row by the head of its span alone, and only rows that
 * count. R rows of the decoder, E width, V outputs of a head.
 */

import { type Backward, deliver, type Gradients } from '../../../nn/layers/layers.ts';
import { freeTrace } from '../../../nn/layers/trace.ts';
import type { Operand, Ops, Tensor, Variable } from '../../../nn/ops/ops.ts';
import type { PromptArchitecture } from './architecture.ts';
import { lossRows, type SpanBatch, sequenceCount } from './sequences.ts';
import { headName } from './weight-layout.ts';

/** The heads' matrices: their own, or rows of the shared embedding. */
export interface Heads {
  architecture: PromptArchitecture;
  shared: Variable; // [T, E]
  own: Variable[]; // [V, E] each; none where tied
  biases: Variable[]; // [V] each; none where unbiased
}

/** The heads by their names in the reference. */
export const headsOf = (architecture: PromptArchitecture, find: (name: string) => Variable): Heads => ({
  architecture,
  shared: find('model.shared.weight'),
  own: architecture.tied ? [] : architecture.heads.map(({ name }) => find(headName(name))),
  biases: architecture.biased ? architecture.heads.map(({ name }) => find(headName(name, 'bias'))) : [],
});

const tokensOf = ({ architecture }: Heads, head: number): Int32Array => {
  const found = architecture.heads[head];
  if (!found) throw new RangeError(`head ${head} requested, of ${architecture.heads.length} there are`);
  return Int32Array.from(found.tokens);
};

/** [V, E]; a tensor of the open scope where heads are tied. */
export const headMatrix = (ops: Ops, heads: Heads, head: number): Operand =>
  heads.own[head] ?? ops.gather(heads.shared, ops.uploadIndices(tokensOf(heads, head)));

/** Span rows that one head predicts. */
export interface HeadRows {
  head: number;
  /** Among the tokens of the spans. */
  rows: Int32Array;
  /** [rows] -1 where a row is not in the loss. */
  targets: Int32Array;
  /** [rows] outputs 1 … floor - 1 cannot come. */
  floors: Int32Array | undefined;
}

/** Which rows each head predicts, heads in their order; `all` takes rows without a target as well. */
export const rowsByHead = (batch: SpanBatch, heads: number, all = false): HeadRows[] => {
  const rows = Array.from({ length: heads }, (): number[] => []);
  for (let span = 0; span < sequenceCount(batch.spans); span++) {
    const own = rows[batch.heads[span] as number];
    if (!own) throw new RangeError(`span ${span} uses head ${batch.heads[span]}, of ${heads} there are`);
    const end = batch.spans.offsets[span + 1] as number;
    for (let row = batch.spans.offsets[span] as number; row < end; row++)
      if (all || (batch.targets[row] as number) >= 0) own.push(row);
  }
  return rows.flatMap((list, head) =>
    list.length === 0
      ? []
      : [
          {
            head,
            rows: Int32Array.from(list),
            targets: Int32Array.from(list, (row) => batch.targets[row] as number),
            floors: batch.floors && Int32Array.from(list, (row) => batch.floors?.[row] ?? 1),
          },
        ],
  );
};

/** [rows, V] zero where an output can come, low where it cannot. */
const floorMask = (ops: Ops, floors: Int32Array, outputs: number): Tensor => {
  const mask = new Float32Array(floors.length * outputs);
  floors.forEach((floor, row) => {
    mask.fill(-1e9, row * outputs + 1, row * outputs + floor);
  });
  return ops.upload(mask, [floors.length, outputs]);
};

/** What a head makes of rows of the decoder, with its bias. [rows, V] */
export const headOutputs = (
  ops: Ops,
  { biases }: Heads,
  head: number,
  rows: Tensor,
  matrix: Operand,
): Tensor => {
  const logits = ops.matMul(rows, matrix, { transposeB: true });
  const bias = biases[head];
  return bias ? ops.add(logits, bias) : logits;
};

/** Logits [rows, V] of one head; `first` is the row of the decoder at which the spans' tokens begin. */
export const headLogits = (
  ops: Ops,
  heads: Heads,
  decoded: Tensor,
  { head, rows, floors }: HeadRows,
  first: number,
): { rows: Tensor; input: Tensor; matrix: Operand; logits: Tensor } => {
  const index = ops.uploadIndices(rows.map((row) => row + first));
  const input = ops.gather(decoded, index);
  const matrix = headMatrix(ops, heads, head);
  const free = headOutputs(ops, heads, head, input, matrix);
  const logits = floors ? ops.add(free, floorMask(ops, floors, free.shape[1] as number)) : free;
  return { rows: index, input, matrix, logits };
};

const checkTargets = ({ architecture }: Heads, { head, targets }: HeadRows): void => {
  const count = architecture.heads[head]?.tokens.length ?? 0;
  const wrong = targets.find((target) => target >= count);
  if (wrong !== undefined)
    throw new RangeError(`target ${wrong} for head ${head}, which has ${count} outputs`);
};

/** [rows] negative log-likelihood of each target, on our side. */
export const headLosses = (
  ops: Ops,
  heads: Heads,
  decoded: Tensor,
  headRows: HeadRows,
  first: number,
): Float32Array =>
  ops.scope(() => {
    checkTargets(heads, headRows);
    const { logits } = headLogits(ops, heads, decoded, headRows, first);
    return ops.download(ops.crossEntropy(logits, ops.uploadIndices(headRows.targets)).losses);
  });

/** Rows of the shared embedding that get a gradient, and the gradient. */
export interface SharedGradient {
  tokens: Int32Array;
  gradient: Tensor; // [tokens, E]
}

/** The gradient of one head's loss, divided by `cells`, by its rows; its own matrix is updated. */
interface HeadGradient {
  loss: number;
  rows: Int32Array;
  dRows: Tensor; // [rows, E]
  shared: SharedGradient | undefined;
}

/** Loss of one head's rows, summed, and its gradients. */
const headLearn = (
  pass: Gradients,
  heads: Heads,
  decoded: Tensor,
  headRows: HeadRows,
  first: number,
  cells: number,
): HeadGradient => {
  const { ops } = pass;
  checkTargets(heads, headRows);
  const { input, matrix, logits } = headLogits(ops, heads, decoded, headRows, first);
  const { losses, slopes } = ops.crossEntropy(logits, ops.uploadIndices(headRows.targets));
  const loss = ops.download(losses).reduce((sum, value) => sum + value, 0);
  const dLogits = ops.scale(slopes, 1 / cells);
  for (const done of [logits, slopes]) ops.free(done);
  const dRows = ops.matMul(dLogits, matrix);
  const dMatrix = ops.matMul(dLogits, input, { transposeA: true }); // [V, E]
  const bias = heads.biases[headRows.head];
  if (bias) deliver(pass, bias, ops.sumRows(dLogits));
  for (const done of [dLogits, input]) ops.free(done);
  const own = heads.own[headRows.head];
  if (own) deliver(pass, own, dMatrix);
  const shared = own ? undefined : { tokens: tokensOf(heads, headRows.head), gradient: dMatrix };
  return { loss, rows: headRows.rows.map((row) => row + first), dRows, shared };
};

/**
 * Mean loss of a batch, its gradient by the decoder's rows, and what rows of the shared embedding get from
 * tied heads. Throws RangeError for a batch without a target.
 */
export const headsBackward = async (
  pass: Backward,
  heads: Heads,
  batch: SpanBatch,
  decoded: Tensor,
  first: number,
): Promise<{ loss: number; dDecoded: Tensor; shared: SharedGradient[] }> => {
  const { ops, pace } = pass;
  const cells = lossRows(batch);
  if (cells === 0)
    throw new RangeError('a batch without a target: expected one row at least that counts in the loss');
  let sum = 0;
  const gradients: HeadGradient[] = [];
  for (const headRows of rowsByHead(batch, heads.architecture.heads.length)) {
    const gradient = headLearn(pass, heads, decoded, headRows, first, cells);
    sum += gradient.loss;
    gradients.push(gradient);
    await pace.rest();
  }
  const rows = Int32Array.from(gradients.flatMap((gradient) => [...gradient.rows]));
  const dRows = gradients.map((gradient) => gradient.dRows);
  const dDecoded = ops.tidy(() => {
    const own = ops.uploadIndices(Int32Array.from(rows.keys()));
    const count = decoded.shape[0] as number;
    return ops.segmentSumGradient(ops.concat(dRows, 0), ops.uploadIndices(rows), own, count);
  });
  freeTrace(ops, dRows);
  return { loss: sum / cells, dDecoded, shared: gradients.flatMap(({ shared }) => shared ?? []) };
};
