import type { VisitColumns } from '../../patients/visit-columns.ts';
import { visitsOf } from '../../patients/visit-columns.ts';
import { type LstmRows, layRows } from '../layers/lstm-rows.ts';

/** One patient of some cohort, as a case to learn from or to predict. */
export interface Example {
  cohort: VisitColumns;
  patient: number;
  positive: boolean;
}

/** Which tokens a network reads: the row of each in the shared embedding table, -1 where it reads nothing. */
export interface CodeBook {
  rowOf: Int32Array;
  /** Tokens that have a row, ascending. */
  tokens: Int32Array;
}

/** Examples of G networks, laid out to be read side by side. */
export interface VisitBatch {
  rows: LstmRows;
  /** [G·slots] which example (by its place in the list given) lies in each slot; -1 for padding. */
  exampleOf: Int32Array;
  /** Embedding row of each code, and the row of the visit it is in, which ascends. */
  codes: Int32Array;
  segments: Int32Array;
}

/** Tokens of `examples` that are not `hidden`, numbered from `first` on: what a network can learn to read. */
export const codeBook = (
  examples: readonly Example[],
  tokens: number,
  first = 0,
  hidden?: ReadonlySet<number>,
): CodeBook => {
  const seen = new Uint8Array(tokens);
  for (const { cohort, patient } of examples) {
    const from = cohort.codeOffsets[cohort.visitOffsets[patient] as number] as number;
    const to = cohort.codeOffsets[cohort.visitOffsets[patient + 1] as number] as number;
    for (let at = from; at < to; at++) seen[cohort.codes[at] as number] = 1;
  }
  for (const token of hidden ?? []) seen[token] = 0;
  const kept = Int32Array.from([...seen.keys()].filter((token) => seen[token] === 1));
  const rowOf = new Int32Array(tokens).fill(-1);
  kept.forEach((token, i) => {
    rowOf[token] = first + i;
  });
  return { rowOf, tokens: kept };
};

/** Most recent visits of a patient that a network reads. */
export const visitLimit = 50;

const readVisits = (example: Example): number =>
  Math.min(visitLimit, visitsOf(example.cohort, example.patient));

/** The examples of each group, longest first, with the codes of their visits as far as the book has them. */
export const packExamples = (
  groups: readonly (readonly Example[])[],
  books: readonly CodeBook[],
): VisitBatch => {
  const slots = Math.max(1, ...groups.map((examples) => examples.length));
  const lengths = new Int32Array(groups.length * slots);
  const exampleOf = new Int32Array(groups.length * slots).fill(-1);
  for (const [group, examples] of groups.entries()) {
    const visits = examples.map(readVisits);
    const order = [...examples.keys()].sort((a, b) => (visits[b] as number) - (visits[a] as number) || a - b);
    for (const [slot, example] of order.entries()) {
      exampleOf[group * slots + slot] = example;
      lengths[group * slots + slot] = visits[example] as number;
    }
  }
  const rows = layRows(lengths, groups.length);
  return { rows, exampleOf, ...packCodes(groups, books, rows, exampleOf) };
};

const packCodes = (
  groups: readonly (readonly Example[])[],
  books: readonly CodeBook[],
  { slots, sizes, offsets, rows }: LstmRows,
  exampleOf: Int32Array,
): { codes: Int32Array; segments: Int32Array } => {
  const codes: number[] = [];
  const segments: number[] = [];
  for (const [group, examples] of groups.entries())
    for (const [t, size] of sizes.entries())
      for (let slot = 0; slot < size; slot++) {
        const example = examples[exampleOf[group * slots + slot] as number];
        if (!example || t >= readVisits(example)) continue;
        const { cohort, patient } = example;
        const visit = (cohort.visitOffsets[patient + 1] as number) - readVisits(example) + t;
        for (
          let at = cohort.codeOffsets[visit] as number;
          at < (cohort.codeOffsets[visit + 1] as number);
          at++
        ) {
          const row = (books[group] as CodeBook).rowOf[cohort.codes[at] as number] as number;
          if (row < 0) continue;
          codes.push(row);
          segments.push(group * rows + (offsets[t] as number) + slot);
        }
      }
  return { codes: Int32Array.from(codes), segments: Int32Array.from(segments) };
};
