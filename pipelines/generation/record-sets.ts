/**
 * A patient's record as the autoregressive models of HALO's paper have it: a sequence of sets of columns.
 * Theodorou, Xiao, Sun 2023; numbers as in its code, btheodorou99/HALO_Inpatient, which its baselines share.
 */
import type { TokensByRow } from '../nn/networks/set-sequences.ts';
import type { Ops, Tensor } from '../nn/ops/ops.ts';
import { codesOfVisit, type Range, type VisitColumns, visitRange } from '../patients/visit-columns.ts';

/** Columns of a visit vector: codes, labels, then the three special tokens of the reference. */
export interface Layout {
  codes: number;
  labels: number;
  start: number;
  end: number;
  width: number;
  /**
   * Columns [from, end) of each demographic fact; they are the first labels, and a patient has at most one of
   * each.
   */
  facts: readonly Range[];
}

/**
 * What decides a layout: how many codes and labels, and the sizes of the facts among the labels, if there are
 * any.
 */
export interface LayoutSizes {
  codes: number;
  labels: number;
  facts?: readonly number[];
}

/** The reference keeps a third special column, for padding; nothing here is padded, so it is never set. */
export const layoutOf = ({ codes, labels, facts = [] }: LayoutSizes): Layout => ({
  codes,
  labels,
  facts: facts.map((size, i) => {
    const from = facts.slice(0, i).reduce((sum, before) => sum + before, codes);
    return [from, from + size];
  }),
  start: codes + labels,
  end: codes + labels + 1,
  width: codes + labels + 3,
});

/** A record as the sets of its positions: the start token alone, the labels, then visits. */
export type RecordSets = readonly ArrayLike<number>[];

/** `[C + label …]` for the labels a patient has. */
export const labelTokens = (layout: Layout, labels: ArrayLike<number>): number[] => {
  const tokens: number[] = [];
  for (let label = 0; label < layout.labels; label++)
    if (labels[label] === 1) tokens.push(layout.codes + label);
  return tokens;
};

/**
 * A record as the sets of its positions 0 … v+1: start; labels; one set per visit, the last with the end
 * token (the paper's v_s, v_l, v_1 … v_T; like the reference, v_e shares the last visit's row). A record cut
 * at `maxVisits` goes on in truth, so it has no end token.
 */
export const recordSets = (
  layout: Layout,
  columns: VisitColumns,
  patient: number,
  maxVisits: number,
): ArrayLike<number>[] => {
  const [first, last] = visitRange(columns, patient);
  const sets: ArrayLike<number>[] = [
    [layout.start],
    labelTokens(layout, columns.labels.subarray(patient * layout.labels, (patient + 1) * layout.labels)),
  ];
  for (let visit = first; visit < Math.min(last, first + maxVisits); visit++) {
    const codes = codesOfVisit(columns, visit);
    sets.push(visit === last - 1 ? [...codes, layout.end] : codes);
  }
  return sets;
};

/** Log-odds that leave nothing: the loss of such a cell and its slope are zero. */
const impossible = -1e4;

/**
 * Log-odds of the next sets, for columns from `from` on, with the later columns of a fact impossible in a row
 * that has one of it: the sampler has no choice there, so nothing is to be learned or scored. What the
 * log-odds of a fact's columns mean is therefore: this one, given none before it. Of the open scope.
 */
export const withoutForcedFacts = (
  ops: Ops,
  { facts }: Layout,
  { tokens, rows }: TokensByRow,
  logits: Tensor, // [N, W - from]
  from: number,
): Tensor => {
  if (facts.length === 0) return logits;
  const [height, width] = logits.shape as [number, number];
  const grid = new Float32Array(height * width);
  tokens.forEach((token, i) => {
    const own = facts.find(([first, end]) => token >= first && token < end);
    const row = (rows[i] as number) * width - from;
    if (own) grid.fill(impossible, row + token + 1, row + own[1]);
  });
  return ops.add(logits, ops.upload(grid, [height, width]));
};
