import type { Vocabulary } from '../../schemas/vocabulary.ts';

/** Patients → visits → tokens as typed arrays with offsets. Views on Arrow buffers where they come from a file. */
export interface VisitColumns {
  /** `[patients + 1]`: visits of patient p are `visitOffsets[p] … visitOffsets[p + 1] - 1`. */
  visitOffsets: Int32Array;
  /** `[visits + 1]`: tokens of visit v are `codes[codeOffsets[v] … codeOffsets[v + 1] - 1]`. */
  codeOffsets: Int32Array;
  /** Tokens, ascending and without repeats inside a visit. */
  codes: Int32Array;
  /** `[patients, labels]` row-major, 0 or 1. */
  labels: Uint8Array;
}

/** A demographic fact per patient; level -1 or value NaN where the source does not say. */
export type Demographic =
  | { kind: 'numeric'; values: Float32Array }
  | { kind: 'categorical'; levels: string[]; values: Int32Array };

/** A cohort in tokens. A real one has a split; a synthetic one names its generator. */
export interface TokenCohort extends VisitColumns {
  vocabulary: Vocabulary;
  /** Index into `splits`, per patient; absent in synthetic cohorts. */
  split?: Uint8Array;
  /** Per patient: age at first admission, sex, ethnicity, insurance, admission type. */
  demographics?: Record<string, Demographic>;
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

/** The patients at `indices`, in that order, as columns of their own. */
export const selectPatients = (columns: VisitColumns, indices: ArrayLike<number>): VisitColumns => {
  const labelCount = columns.labels.length / Math.max(1, patientCount(columns));
  const builder = new VisitColumnsBuilder();
  for (let i = 0; i < indices.length; i++) {
    const patient = indices[i] as number;
    const visits: Int32Array[] = [];
    const end = columns.visitOffsets[patient + 1] as number;
    for (let v = columns.visitOffsets[patient] as number; v < end; v++)
      visits.push(columns.codes.subarray(columns.codeOffsets[v], columns.codeOffsets[v + 1]));
    builder.addPatient(visits, columns.labels.subarray(patient * labelCount, (patient + 1) * labelCount));
  }
  return builder.build();
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
