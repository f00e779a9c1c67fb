import type { Vocabulary } from '../../schemas/vocabulary.ts';

/** A demographic fact per patient; level -1 or value NaN where the source does not say. */
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
   * Per patient: age at first admission, sex, ethnicity, insurance, admission type; absent where nobody says.
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

/** A fact's values at `patients`, in that order. */
export const selectFact = (fact: Demographic, patients: ArrayLike<number>): Demographic =>
  fact.kind === 'numeric'
    ? { kind: 'numeric', values: Float32Array.from(patients, (p) => fact.values[p] as number) }
    : { ...fact, values: Int32Array.from(patients, (p) => fact.values[p] as number) };

/** Where the patients at `indices` come to lie: offsets of their visits and codes, closed up. */
const selectedOffsets = ({ visitOffsets, codeOffsets }: VisitColumns, indices: ArrayLike<number>) => {
  const visits = new Int32Array(indices.length + 1);
  for (let i = 0; i < indices.length; i++) {
    const patient = indices[i] as number;
    visits[i + 1] =
      (visits[i] as number) + (visitOffsets[patient + 1] as number) - (visitOffsets[patient] as number);
  }
  const codes = new Int32Array((visits.at(-1) as number) + 1);
  for (let i = 0, row = 0; i < indices.length; i++) {
    const end = visitOffsets[(indices[i] as number) + 1] as number;
    for (let v = visitOffsets[indices[i] as number] as number; v < end; v++, row++)
      codes[row + 1] = (codes[row] as number) + (codeOffsets[v + 1] as number) - (codeOffsets[v] as number);
  }
  return { visits, codes };
};

/** The patients at `indices`, in that order, as columns of their own. */
export const selectPatients = (columns: VisitColumns, indices: ArrayLike<number>): VisitColumns => {
  const width = columns.labels.length / Math.max(1, patientCount(columns));
  const offsets = selectedOffsets(columns, indices);
  const codes = new Int32Array(offsets.codes.at(-1) as number);
  const values = columns.values && new Float32Array(codes.length);
  const labels = new Uint8Array(indices.length * width);
  for (let i = 0; i < indices.length; i++) {
    const patient = indices[i] as number;
    const from = columns.codeOffsets[columns.visitOffsets[patient] as number] as number;
    const to = columns.codeOffsets[columns.visitOffsets[patient + 1] as number] as number;
    const at = offsets.codes[offsets.visits[i] as number] as number;
    codes.set(columns.codes.subarray(from, to), at);
    values?.set((columns.values as Float32Array).subarray(from, to), at);
    labels.set(columns.labels.subarray(patient * width, (patient + 1) * width), i * width);
  }
  const facts = Object.entries(columns.demographics ?? {}).map(([name, fact]) => [
    name,
    selectFact(fact, indices),
  ]);
  return {
    visitOffsets: offsets.visits,
    codeOffsets: offsets.codes,
    codes,
    labels,
    ...(values && { values }),
    ...(columns.demographics && { demographics: Object.fromEntries(facts) }),
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
  return {
    ...columns,
    codeOffsets: offsets,
    codes: codes.filter((_, i) => keep[i] === 1),
    ...(values && { values: values.filter((_, i) => keep[i] === 1) }),
  };
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

/** Visits of one patient. */
export const visitsOf = ({ visitOffsets }: VisitColumns, patient: number): number =>
  (visitOffsets[patient + 1] as number) - (visitOffsets[patient] as number);
