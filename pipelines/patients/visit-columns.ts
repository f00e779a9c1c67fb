import type { Vocabulary } from '../../schemas/vocabulary.ts';

/** A demographic fact per patient; level -1 or value NaN where the source has none. */
export type Demographic =
  | { kind: 'numeric'; values: Float32Array }
  | { kind: 'categorical'; levels: string[]; values: Int32Array };

/**
 * Patients → visits → tokens as typed arrays with offsets. Views on Arrow buffers where they come from a
 * file.
 */
export interface VisitColumns {
  /** `[patients + 1]`: visits of patient p are `visitOffsets[p] … visitOffsets[p + 1] - 1`. */
  visitOffsets: Int32Array;
  /** `[visits + 1]`: tokens of visit v are `codes[codeOffsets[v] … codeOffsets[v + 1] - 1]`. */
  codeOffsets: Int32Array;
  /** Tokens, ascending and without repeats inside a visit. */
  codes: Int32Array;
  /** `[patients, labels]` row-major, 0 or 1. */
  labels: Uint8Array;
  /**
   * `[codes]` the number behind each bucket token, NaN behind all others; absent where no token is a bucket.
   */
  values?: Float32Array;
  /**
   * Per patient: age at first admission, sex, ethnicity, insurance, admission type; absent where the source
   * has none.
   */
  demographics?: Record<string, Demographic>;
}

/** A cohort in tokens. A real one has a split; a synthetic one names its generator. */
export interface TokenCohort extends VisitColumns {
  vocabulary: Vocabulary;
  /** Index into `splits`, per patient; absent in synthetic cohorts. */
  split?: Uint8Array;
  /** Name of the generator that made it; absent in real cohorts. */
  generator?: string;
}

export const patientCount = (columns: VisitColumns): number => columns.visitOffsets.length - 1;
export const visitCount = (columns: VisitColumns): number => columns.codeOffsets.length - 1;

/** Labels of each patient; 0 where there are no patients. */
export const labelCount = (columns: VisitColumns): number =>
  columns.labels.length / Math.max(1, patientCount(columns));

/** A range of positions: the first, and the one after the last. */
export type Range = readonly [from: number, end: number];

const rangeOf = (offsets: Int32Array, index: number): Range => [
  offsets[index] as number,
  offsets[index + 1] as number,
];

/** Visits of a patient, among all visits. */
export const visitRange = ({ visitOffsets }: VisitColumns, patient: number): Range =>
  rangeOf(visitOffsets, patient);

/** Codes of a visit, as positions in `codes`. */
export const codeRange = ({ codeOffsets }: VisitColumns, visit: number): Range => rangeOf(codeOffsets, visit);

/** Codes of a patient's whole record, as positions in `codes`. */
export const recordRange = ({ visitOffsets, codeOffsets }: VisitColumns, patient: number): Range => [
  codeOffsets[visitOffsets[patient] as number] as number,
  codeOffsets[visitOffsets[patient + 1] as number] as number,
];

/** How many visits a patient has. */
export const visitsOf = ({ visitOffsets }: VisitColumns, patient: number): number =>
  (visitOffsets[patient + 1] as number) - (visitOffsets[patient] as number);

/** Codes of a visit, as a view. */
export const codesOfVisit = (columns: VisitColumns, visit: number): Int32Array =>
  columns.codes.subarray(...codeRange(columns, visit));

/** Codes of a patient's record, visit after visit, as a view. */
export const codesOfPatient = (columns: VisitColumns, patient: number): Int32Array =>
  columns.codes.subarray(...recordRange(columns, patient));

/** Labels of a patient, as a view. */
export const labelsOfPatient = (columns: VisitColumns, patient: number): Uint8Array => {
  const width = labelCount(columns);
  return columns.labels.subarray(patient * width, (patient + 1) * width);
};

/** Adds up counts in place, each at the index after its own: they become offsets. */
export const toOffsets = (counts: Int32Array): Int32Array => {
  for (let i = 1; i < counts.length; i++) counts[i] = (counts[i] as number) + (counts[i - 1] as number);
  return counts;
};

/** How often each whole number occurs: `counts[value]`, over `n` values. */
export interface Histogram {
  counts: Float64Array;
  n: number;
}

/** Lengths of the ranges that an offsets array delimits, counted by length, each as often as its weight. */
export const lengthHistogram = (offsets: Int32Array, weights?: Int32Array): Histogram => {
  const ranges = offsets.length - 1;
  const length = (i: number) => (offsets[i + 1] as number) - (offsets[i] as number);
  let longest = 0;
  for (let i = 0; i < ranges; i++) longest = Math.max(longest, length(i));
  const counts = new Float64Array(longest + 1);
  let n = 0;
  for (let i = 0; i < ranges; i++) {
    const weight = weights ? (weights[i] as number) : 1;
    counts[length(i)] = (counts[length(i)] as number) + weight;
    n += weight;
  }
  return { counts, n };
};

/** Gathers columns patient by patient; used by samplers and by everything that filters patients. */
export class VisitColumnsBuilder {
  readonly #visitOffsets = [0];
  readonly #codeOffsets = [0];
  readonly #codes: number[] = [];
  readonly #labels: number[] = [];

  /** `visits` need not be sorted: tokens are put in order and repeats dropped. */
  addPatient(visits: Iterable<Iterable<number>>, labels: Iterable<number>): void {
    for (const visit of visits) {
      const tokens = [...new Set(visit)].sort((a, b) => a - b);
      for (const token of tokens) this.#codes.push(token);
      this.#codeOffsets.push(this.#codes.length);
    }
    this.#visitOffsets.push(this.#codeOffsets.length - 1);
    for (const label of labels) this.#labels.push(label);
  }

  build(): VisitColumns {
    return {
      visitOffsets: Int32Array.from(this.#visitOffsets),
      codeOffsets: Int32Array.from(this.#codeOffsets),
      codes: Int32Array.from(this.#codes),
      labels: Uint8Array.from(this.#labels),
    };
  }
}

const selectFact = (fact: Demographic, patients: ArrayLike<number>): Demographic =>
  fact.kind === 'numeric'
    ? { kind: 'numeric', values: Float32Array.from(patients, (p) => fact.values[p] as number) }
    : { ...fact, values: Int32Array.from(patients, (p) => fact.values[p] as number) };

/** The facts' values at `patients`, in that order. */
export const selectFacts = (
  facts: Record<string, Demographic>,
  patients: ArrayLike<number>,
): Record<string, Demographic> =>
  Object.fromEntries(Object.entries(facts).map(([name, fact]) => [name, selectFact(fact, patients)]));

/** Where the patients at `indices` come to lie: offsets of their visits and codes, closed up. */
const selectedOffsets = (columns: VisitColumns, indices: ArrayLike<number>) => {
  const { codeOffsets } = columns;
  const visits = new Int32Array(indices.length + 1);
  for (let i = 0; i < indices.length; i++) visits[i + 1] = visitsOf(columns, indices[i] as number);
  toOffsets(visits);
  const codes = new Int32Array((visits.at(-1) as number) + 1);
  for (let i = 0, row = 0; i < indices.length; i++) {
    const [first, end] = visitRange(columns, indices[i] as number);
    for (let v = first; v < end; v++)
      codes[++row] = (codeOffsets[v + 1] as number) - (codeOffsets[v] as number);
  }
  return { visits, codes: toOffsets(codes) };
};

/** The patients at `indices`, in that order, as columns of their own. */
export const selectPatients = (columns: VisitColumns, indices: ArrayLike<number>): VisitColumns => {
  const width = labelCount(columns);
  const offsets = selectedOffsets(columns, indices);
  const codes = new Int32Array(offsets.codes.at(-1) as number);
  const labels = new Uint8Array(indices.length * width);
  const selected: VisitColumns = { visitOffsets: offsets.visits, codeOffsets: offsets.codes, codes, labels };
  if (columns.values) selected.values = new Float32Array(codes.length);
  if (columns.demographics) selected.demographics = selectFacts(columns.demographics, indices);
  for (let i = 0; i < indices.length; i++) {
    const patient = indices[i] as number;
    const [from, to] = recordRange(columns, patient);
    const at = offsets.codes[offsets.visits[i] as number] as number;
    codes.set(columns.codes.subarray(from, to), at);
    selected.values?.set((columns.values as Float32Array).subarray(from, to), at);
    labels.set(columns.labels.subarray(patient * width, (patient + 1) * width), i * width);
  }
  return selected;
};

/** The records of both, one after the other: visits, codes and labels, without values and demographics. */
export const joinRecords = (first: VisitColumns, second: VisitColumns): VisitColumns => {
  const offsets = (a: Int32Array, b: Int32Array): Int32Array => {
    const joined = new Int32Array(a.length + b.length - 1);
    joined.set(a);
    joined.set(
      b.subarray(1).map((offset) => offset + (a.at(-1) as number)),
      a.length,
    );
    return joined;
  };
  const codes = new Int32Array(first.codes.length + second.codes.length);
  codes.set(first.codes);
  codes.set(second.codes, first.codes.length);
  const labels = new Uint8Array(first.labels.length + second.labels.length);
  labels.set(first.labels);
  labels.set(second.labels, first.labels.length);
  return {
    visitOffsets: offsets(first.visitOffsets, second.visitOffsets),
    codeOffsets: offsets(first.codeOffsets, second.codeOffsets),
    codes,
    labels,
  };
};

/** The entries of `codes` that `keep` has 1 for; patients and visits stay, also those left without a code. */
export const keepTokens = (columns: VisitColumns, keep: Uint8Array): VisitColumns => {
  const { codeOffsets, codes, values } = columns;
  const offsets = new Int32Array(codeOffsets.length);
  for (let visit = 0; visit + 1 < offsets.length; visit++) {
    let end = offsets[visit] as number;
    for (let i = codeOffsets[visit] as number; i < (codeOffsets[visit + 1] as number); i++)
      end += keep[i] as number;
    offsets[visit + 1] = end;
  }
  const kept = { ...columns, codeOffsets: offsets, codes: codes.filter((_, i) => keep[i] === 1) };
  if (values) kept.values = values.filter((_, i) => keep[i] === 1);
  return kept;
};

/** Indices of the patients in one split, ascending. Throws RangeError on a cohort without a split. */
export const patientsIn = (cohort: TokenCohort, split: number): Int32Array => {
  if (!cohort.split) throw new RangeError('this cohort has no split: it is synthetic');
  const found: number[] = [];
  cohort.split.forEach((s, patient) => {
    if (s === split) found.push(patient);
  });
  return Int32Array.from(found);
};
/** Indices of the patients with at least one visit, ascending: those that a model can learn from. */
export const withVisits = ({ visitOffsets }: VisitColumns): Int32Array =>
  Int32Array.from({ length: visitOffsets.length - 1 }, (_, patient) => patient).filter(
    (patient) => visitOffsets[patient] !== visitOffsets[patient + 1],
  );

/** Visits of the longest record; 0 without patients. */
export const longestRecord = ({ visitOffsets }: VisitColumns): number =>
  visitOffsets.reduce((longest, end, i) => Math.max(longest, end - (visitOffsets[i - 1] ?? end)), 0);
