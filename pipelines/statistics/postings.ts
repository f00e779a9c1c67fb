import { patientCount, type VisitColumns, visitCount } from '../cohort/visit-columns.ts';

/** Where each token stands: an inverted index over the flat `codes` of a cohort. */
export interface Postings {
  columns: VisitColumns;
  /** `[tokens + 1]`: positions of token t are `positions[offsets[t] … offsets[t + 1] - 1]`, ascending. */
  offsets: Int32Array;
  positions: Int32Array;
  /** Visit of each position. */
  visitAt: Int32Array;
  /** Patient of each visit. */
  patientAt: Int32Array;
}

/** Item of each index, from the offsets that delimit the items. */
const owners = (offsets: Int32Array, count: number): Int32Array => {
  const owner = new Int32Array(offsets[count] ?? 0);
  for (let item = 0; item < count; item++) owner.fill(item, offsets[item], offsets[item + 1]);
  return owner;
};

/** Indexes a cohort by counting sort: two passes over its codes. `tokens` is one more than the largest token. */
export const postingsOf = (columns: VisitColumns, tokens: number): Postings => {
  const { codes, codeOffsets, visitOffsets } = columns;
  const offsets = new Int32Array(tokens + 1);
  for (const token of codes) offsets[token + 1] = (offsets[token + 1] as number) + 1;
  for (let token = 0; token < tokens; token++)
    offsets[token + 1] = (offsets[token + 1] as number) + (offsets[token] as number);
  const next = offsets.slice();
  const positions = new Int32Array(codes.length);
  for (let position = 0; position < codes.length; position++) {
    const token = codes[position] as number;
    const slot = next[token] as number;
    positions[slot] = position;
    next[token] = slot + 1;
  }
  return {
    columns,
    offsets,
    positions,
    visitAt: owners(codeOffsets, visitCount(columns)),
    patientAt: owners(visitOffsets, patientCount(columns)),
  };
};
