import type { Vocabulary } from '../../../schemas/vocabulary.ts';
import { patientCount, type VisitColumns } from '../../patients/visit-columns.ts';
import { type NumberColumn, numberColumn } from './distributions.ts';

/** A lab test, whichever tokens it has. */
export interface LabTest {
  code: string;
  title?: string;
  unit?: string;
  /** Whether any of its tokens is a range of numbers. */
  hasNumbers: boolean;
}

/** The tests of a vocabulary in the order of their first tokens, and the test of each token (-1: none). */
export const labTests = ({ codes }: Vocabulary): { tests: LabTest[]; testOf: Int32Array } => {
  const places = new Map<string, number>();
  const tests: LabTest[] = [];
  const testOf = Int32Array.from(codes, ({ modality, code, title, bucket }) => {
    if (modality !== 'lab') return -1;
    const place = places.get(code) ?? tests.push({ code, hasNumbers: false }) - 1;
    places.set(code, place);
    const test = tests[place] as LabTest;
    if (title !== undefined) test.title = title;
    if (bucket) test.hasNumbers = true;
    if (bucket?.unit !== undefined) test.unit = bucket.unit;
    return place;
  });
  return { tests, testOf };
};

/** One test in one cohort: who had it in how many visits, and the numbers. */
export interface TestColumn {
  /** Patients who had it, ascending, and in how many of their visits. */
  patients: Int32Array;
  visits: Int32Array;
  numbers: NumberColumn;
}

/** Entries of growing lists, one list per test. */
class Lists {
  readonly lists: number[][];
  constructor(size: number) {
    this.lists = Array.from({ length: size }, () => []);
  }
  of(test: number): number[] {
    return this.lists[test] as number[];
  }
}

/** Every test of a cohort. Any of its tokens in a visit means that it was done there, once. */
export const testColumns = (columns: VisitColumns, testOf: Int32Array, tests: number): TestColumn[] => {
  const { visitOffsets, codeOffsets, codes, values } = columns;
  const [patients, visits, numbers, owners] = [0, 1, 2, 3].map(() => new Lists(tests)) as [
    Lists,
    Lists,
    Lists,
    Lists,
  ];
  const seen = new Int32Array(tests).fill(-1);
  for (let patient = 0; patient < patientCount(columns); patient++)
    for (let visit = visitOffsets[patient] as number; visit < (visitOffsets[patient + 1] as number); visit++)
      for (let i = codeOffsets[visit] as number; i < (codeOffsets[visit + 1] as number); i++) {
        const test = testOf[codes[i] as number] as number;
        if (test < 0) continue;
        const value = values?.[i] ?? Number.NaN;
        if (!Number.isNaN(value)) {
          numbers.of(test).push(value);
          owners.of(test).push(patient);
        }
        if (seen[test] === visit) continue;
        seen[test] = visit;
        const [own, counts] = [patients.of(test), visits.of(test)];
        if (own.at(-1) === patient) counts.push((counts.pop() as number) + 1);
        else {
          own.push(patient);
          counts.push(1);
        }
      }
  return Array.from({ length: tests }, (_, test) => ({
    patients: Int32Array.from(patients.of(test)),
    visits: Int32Array.from(visits.of(test)),
    numbers: numberColumn(numbers.of(test), owners.of(test)),
  }));
};
