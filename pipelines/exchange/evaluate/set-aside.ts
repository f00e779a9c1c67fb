import { RandomSource } from '../../kernel/random.ts';
import { inContentOrder } from '../../patients/content-order.ts';
import { patientCount, selectPatients, type VisitColumns } from '../../patients/visit-columns.ts';

const share = 0.1;

/**
 * One in ten training patients as validation, for classifiers that need some to know when to stop; the others
 * stay. By seed and content, so that the order of the patients has no influence. `undefined` for fewer than
 * two patients.
 */
export const setAside = (
  train: VisitColumns,
  seed: number,
): { train: VisitColumns; validation: VisitColumns } | undefined => {
  const patients = patientCount(train);
  if (patients < 2) return undefined;
  const ordered = inContentOrder(train);
  const shuffled = new RandomSource(seed, 'order').permutation(patients, 0);
  const aside = Math.ceil(patients * share);
  return {
    validation: selectPatients(ordered, shuffled.subarray(0, aside).toSorted()),
    train: selectPatients(ordered, shuffled.subarray(aside).toSorted()),
  };
};
