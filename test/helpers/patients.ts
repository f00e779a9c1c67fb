import { type VisitColumns, VisitColumnsBuilder } from '../../pipelines/patients/visit-columns.ts';

/** A patient as a test writes one: the codes of each visit, and one number per label. */
export interface Patient {
  visits: readonly (readonly number[])[];
  labels: readonly number[];
}

/** Patients as columns. The codes of a visit become ascending, each once. */
export const columnsOf = (patients: readonly Patient[]): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  for (const { visits, labels } of patients) builder.addPatient(visits, labels);
  return builder.build();
};

/** Patients who all have the same labels, or none: one list of visits each. */
export const recordsOf = (
  records: readonly Patient['visits'][],
  labels: readonly number[] = [],
): VisitColumns => columnsOf(records.map((visits) => ({ visits, labels })));

/** No patients at all. */
export const noPatients: VisitColumns = columnsOf([]);
