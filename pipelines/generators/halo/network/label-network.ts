/**
 * How labels depend on each other: the piece of HALO's head that decides the labels, on our side. All
 * patients share the history of the start token, hence one small network for all. L labels, E embedding.
 */
import { layoutOf } from '../../../generation/record-sets.ts';
import type { Range } from '../../../patients/visit-columns.ts';
import { packSets } from './batch.ts';
import type { HaloNetwork } from './network.ts';

/** The head's rows and columns of the labels, after the start token, while no label is present. */
export interface LabelNetwork {
  logits: Float32Array; // [L]
  /** Sums before the relu of the hidden units at the labels' columns. */
  sums: Float32Array; // [L]
  labelsToUnits: Float32Array; // [L, L] triangular
  unitsToLogits: Float32Array; // [L, L] strictly triangular
  /** Labels [from, end) of each demographic fact: at most one of them is present. */
  facts: readonly Range[];
}

/**
 * Cells [row, row + size) × [column, column + size) of a tensor of the reference, put together from our
 * weights.
 */
const square = (
  network: HaloNetwork,
  reference: string,
  row: number,
  column: number,
  size: number,
): Float32Array => {
  const { ops, weights } = network;
  const cells = new Float32Array(size * size);
  for (const weight of weights.filter((candidate) => candidate.reference === reference)) {
    const [height, width] = weight.shape as [number, number];
    const [top, left] = [Math.max(row, weight.row), Math.max(column, weight.column)];
    const rows = Math.min(row + size, weight.row + height) - top;
    const columns = Math.min(column + size, weight.column + width) - left;
    if (rows <= 0 || columns <= 0) continue;
    const cut = ops.scope(() =>
      ops.download(
        ops.slice(network.variable(weight.name), [top - weight.row, left - weight.column], [rows, columns]),
      ),
    );
    for (let r = 0; r < rows; r++)
      cells.set(cut.subarray(r * columns, (r + 1) * columns), (top - row + r) * size + left - column);
  }
  return cells;
};

/** Takes the labels' part out of a network. */
export const labelNetworkOf = async (network: HaloNetwork): Promise<LabelNetwork> => {
  const { ops, architecture, head } = network;
  const { embedding } = architecture;
  const { codes, labels, start, facts } = layoutOf(architecture);
  const batch = packSets([[[start], []]]);
  const all = await network.logits(batch);
  const history = await network.histories(batch); // [1, E]
  const sums = ops.scope(() => {
    const toUnits = ops.slice(head.historyToCodes, [0, codes], [embedding, labels]);
    const bias = ops.slice(head.hiddenBias, [embedding + codes], [labels]);
    return ops.download(ops.add(ops.matMul(ops.upload(history, [1, embedding]), toUnits), bias));
  });
  const cut = (layer: 1 | 2, column: number) =>
    square(network, `ehr_head.auto${layer}.weight`, embedding + codes, column, labels);
  return {
    logits: all.slice(codes, codes + labels),
    sums,
    labelsToUnits: cut(1, embedding + codes),
    unitsToLogits: cut(2, embedding - 1 + codes),
    facts: facts.map(([from, end]) => [from - codes, end - codes]),
  };
};

/** What is known of the labels after some have been decided. */
export interface LabelState {
  logits: Float64Array; // [L] of labels not decided yet; others are left over
  sums: Float64Array; // [L] likewise
}

/** Nothing decided, or room for a state. */
export const labelState = ({ logits, sums }: LabelNetwork): LabelState => ({
  logits: Float64Array.from(logits),
  sums: Float64Array.from(sums),
});

/**
 * `from` after `label` has been found present, in `to` (which may be `from`); true of the labels before
 * `end`.
 */
export const setLabel = (
  { labelsToUnits, unitsToLogits, logits: { length: count } }: LabelNetwork,
  from: LabelState,
  to: LabelState,
  label: number,
  end: number,
): void => {
  for (let later = label + 1; later < end; later++) to.logits[later] = from.logits[later] as number;
  for (let unit = label; unit < end; unit++) {
    const before = from.sums[unit] as number;
    const after = before + (labelsToUnits[label * count + unit] as number);
    to.sums[unit] = after;
    const change = Math.max(after, 0) - Math.max(before, 0);
    if (change === 0) continue;
    for (let later = unit + 1; later < end; later++)
      to.logits[later] =
        (to.logits[later] as number) + change * (unitsToLogits[unit * count + later] as number);
  }
};
