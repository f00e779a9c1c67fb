import { splits } from '../../schemas/ehr.ts';
import { patientsIn, selectPatients, type TokenCohort, type VisitColumns } from '../cohort/visit-columns.ts';
import type { TrainingData } from '../generator.ts';

/** One split of a real cohort as columns of its own. Throws RangeError on a cohort without a split. */
export const splitColumns = (cohort: TokenCohort, split: (typeof splits)[number]): VisitColumns =>
  selectPatients(cohort, patientsIn(cohort, splits.indexOf(split)));

/** What a generator may see: training and validation patients, never the holdout. Throws as above. */
export const trainingData = (cohort: TokenCohort): TrainingData => ({
  vocabulary: cohort.vocabulary,
  train: splitColumns(cohort, 'train'),
  validation: splitColumns(cohort, 'validation'),
});
