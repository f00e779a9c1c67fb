import { toOffsets, type VisitColumns } from '../../patients/visit-columns.ts';

/**
 * What is counted: codes, unordered pairs within a visit (smaller token first), or (code, code of next
 * visit).
 */
export type Keys = 'codes' | 'pairs' | 'sequences';

/**
 * Per token, where its partners stand: an inverted index over the flat `codes` of a cohort. The parts of a
 * posting lie side by side, because looking it up in one column per fact costs a cache miss each: most of the
 * time there was.
 */
export interface Postings {
  codes: Int32Array;
  /**
   * `[tokens + 1]`: postings of token t are numbers `offsets[t] … offsets[t + 1] - 1`, patients ascending.
   */
  offsets: Int32Array;
  /** Per posting: first position of the partners in `codes`, the position after the last, and the patient. */
  records: Int32Array;
}

/** Integers of a posting. */
export const postingSize = 3;

/** Calls `post` for every code that has partners, in the order of patients and visits. */
const eachPosting = (
  { visitOffsets, codeOffsets }: VisitColumns,
  keys: Keys,
  post: (position: number, from: number, to: number, patient: number) => void,
): void => {
  for (let patient = 0; patient + 1 < visitOffsets.length; patient++) {
    const lastVisit = (visitOffsets[patient + 1] as number) - 1;
    for (let visit = visitOffsets[patient] as number; visit <= lastVisit; visit++) {
      const end = codeOffsets[visit + 1] as number;
      const to = keys === 'sequences' && visit < lastVisit ? (codeOffsets[visit + 2] as number) : end;
      for (let position = codeOffsets[visit] as number; position < end; position++) {
        const from = keys === 'pairs' ? position + 1 : end;
        if (from < to) post(position, from, to, patient);
      }
    }
  }
};

/** Indexes a cohort by counting sort. `tokens` is one more than the largest token. */
export const postingsOf = (columns: VisitColumns, tokens: number, keys: Exclude<Keys, 'codes'>): Postings => {
  const { codes } = columns;
  const offsets = new Int32Array(tokens + 1);
  eachPosting(columns, keys, (position) => {
    const token = codes[position] as number;
    offsets[token + 1] = (offsets[token + 1] as number) + 1;
  });
  toOffsets(offsets);
  const next = offsets.slice();
  const records = new Int32Array((offsets[tokens] as number) * postingSize);
  eachPosting(columns, keys, (position, from, to, patient) => {
    const token = codes[position] as number;
    const at = (next[token] as number) * postingSize;
    next[token] = (next[token] as number) + 1;
    records[at] = from;
    records[at + 1] = to;
    records[at + 2] = patient;
  });
  return { codes, offsets, records };
};

/**
 * Patients of a cohort who have a token, and how often each has it: `meet(token, patient)` per occurrence.
 */
export const eachCode = (
  { visitOffsets, codeOffsets, codes }: VisitColumns,
  meet: (token: number, patient: number) => void,
): void => {
  for (let patient = 0; patient < visitOffsets.length - 1; patient++) {
    const end = codeOffsets[visitOffsets[patient + 1] as number] as number;
    for (let i = codeOffsets[visitOffsets[patient] as number] as number; i < end; i++)
      meet(codes[i] as number, patient);
  }
};
