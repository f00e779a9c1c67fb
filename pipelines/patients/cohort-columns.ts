import type { Modality } from '../../schemas/ehr.ts';
import { type Demographic, selectFacts } from './visit-columns.ts';

/** One code of a modality, with its title where a dictionary has one. */
export interface CodeTitle {
  code: string;
  title?: string;
  /** Of the numbers in `labValues`; lab tests only, and not all. */
  unit?: string;
}

/** Codes of all visits in one modality: those of visit v are `indices[offsets[v] … offsets[v + 1] - 1]`. */
export interface ModalityColumns {
  offsets: Int32Array;
  /** Into the modality's `CodeTitle` list, ascending and without repeats inside a visit. */
  indices: Int32Array;
}

/** A real cohort before tokens: patients by subject, their visits in time order, codes per modality. */
export interface Cohort {
  /** Source identifiers, for provenance; they end here and never reach a token cohort. */
  subjectIds: Int32Array;
  hadmIds: Int32Array;
  /** Index into `splits`, per patient. */
  split: Uint8Array;
  /** `[patients + 1]` into the visits. */
  visitOffsets: Int32Array;
  labelNames: string[];
  /** `[patients, labels]`: any visit of the patient has the label. */
  labels: Uint8Array;
  /** `[visits, labels]`: a diagnosis of the visit has the label. */
  visitLabels: Uint8Array;
  /** Per patient, as at the first visit that was kept: age in years, sex, ethnicity, … */
  demographics: Record<string, Demographic>;
  /**
   * Per visit: age, admission type, length of stay, days since the last admission and discharge, death in
   * hospital.
   */
  visitFacts: Record<string, Demographic>;
  codes: Record<Modality, ModalityColumns>;
  /** The number behind each entry of `codes.lab.indices`, NaN where the test gave none. */
  labValues: Float32Array;
  /** Codes that occur in the cohort, sorted by code. */
  dictionary: Record<Modality, CodeTitle[]>;
}

/** The values each patient has at the first visit; rows of the facts are visits. */
export const atFirstVisit = (
  facts: Record<string, Demographic>,
  visitOffsets: Int32Array,
): Record<string, Demographic> => selectFacts(facts, visitOffsets.subarray(0, -1));

/** Labels of visits by their diagnoses, and of patients by their visits; rows are row-major. */
export const labelColumns = (
  visitOffsets: Int32Array,
  diagnoses: ModalityColumns,
  labelOf: ArrayLike<number>,
  width: number,
): { labels: Uint8Array; visitLabels: Uint8Array } => {
  const patients = visitOffsets.length - 1;
  const visitLabels = new Uint8Array((diagnoses.offsets.length - 1) * width);
  const labels = new Uint8Array(patients * width);
  for (let patient = 0; patient < patients; patient++)
    for (let visit = visitOffsets[patient] as number; visit < (visitOffsets[patient + 1] as number); visit++)
      for (let i = diagnoses.offsets[visit] as number; i < (diagnoses.offsets[visit + 1] as number); i++) {
        const label = labelOf[diagnoses.indices[i] as number] as number;
        if (label < 0) continue;
        visitLabels[visit * width + label] = 1;
        labels[patient * width + label] = 1;
      }
  return { labels, visitLabels };
};
