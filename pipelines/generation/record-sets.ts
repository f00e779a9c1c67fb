/**
 * A patient's record as the autoregressive models of HALO's paper have it: a sequence of sets of columns.
 * Theodorou, Xiao, Sun 2023; numbers as in its code, btheodorou99/HALO_Inpatient, which its baselines share.
 */
import { codesOfVisit, type VisitColumns, visitRange } from '../patients/visit-columns.ts';

/** Columns of a visit vector: codes, labels, then the three special tokens of the reference. */
export interface Layout {
  codes: number;
  labels: number;
  start: number;
  end: number;
  width: number;
}

/** The reference keeps a third special column, for padding; nothing here is padded, so it is never set. */
export const layoutOf = ({ codes, labels }: Pick<Layout, 'codes' | 'labels'>): Layout => ({
  codes,
  labels,
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
