import { splits } from '../../schemas/ehr.ts';
import { StageError } from '../../schemas/errors.ts';
import { RandomSource } from '../kernel/random.ts';
import {
  patientCount,
  patientsIn,
  selectPatients,
  type TokenCohort,
  type VisitColumns,
} from '../patients/visit-columns.ts';
import type { TrainingData } from './generator.ts';

/** One split of a real cohort as columns of its own. Throws RangeError on a cohort without a split. */
export const splitColumns = (cohort: TokenCohort, split: (typeof splits)[number]): VisitColumns =>
  selectPatients(cohort, patientsIn(cohort, splits.indexOf(split)));

/** What a generator may see: training and validation patients, never the holdout. Throws as above. */
export const trainingData = (cohort: TokenCohort): TrainingData => ({
  vocabulary: cohort.vocabulary,
  train: splitColumns(cohort, 'train'),
  validation: splitColumns(cohort, 'validation'),
});

/** The order in which training patients join a subset; a use of the seed that nothing else has. */
const joining = 2 ** 47;

/**
 * How many of `of` training patients are meant: a share of them up to 1, or a number. Throws TooFewPatients where there
 * are not as many.
 */
export const subsetSize = (size: number, of: number): number => {
  const patients = size <= 1 ? Math.max(1, Math.round(size * of)) : size;
  if (patients <= of) return patients;
  throw new StageError(
    'TooFewPatients',
    `patients: a generator is to learn from ${size} patients, and the training split has ${of}; ask for fewer, or for a share`,
  );
};

/** So many of the training patients, drawn by seed, in their old order. A smaller subset is part of every larger one. */
export const trainingSubset = (train: VisitColumns, patients: number, seed: number): VisitColumns => {
  const order = new RandomSource(seed, 'order').permutation(patientCount(train), joining);
  return selectPatients(train, order.subarray(0, patients).sort());
};

/** The training patients that a model has learned from, by its card. */
export const learnedFrom = (
  { subset, seed }: { subset?: { patients: number } | undefined; seed: number },
  train: VisitColumns,
): VisitColumns => (subset ? trainingSubset(train, subset.patients, seed) : train);
