/**
 * Real patients who stand on two sides of a comparison. Whatever the sides are called, an attack that
 * compares training patients with others means nothing where the others are the same people.
 */
import type { Scorecard } from '../../schemas/scorecard.ts';
import { decimal } from '../kernel/number-format.ts';
import type { VisitColumns } from '../patients/visit-columns.ts';
import { recordKeys } from '../plausibility/duplicates.ts';
import { fisherExcess } from './statistics/exact-test.ts';

export type SharedPatients = NonNullable<Scorecard['cohorts']['shared']>;

/**
 * Stricter than a check: a run has this test once, a false warning costs it all of its privacy checks, and
 * twins among training patients come in pairs, so they vary more than the test assumes.
 */
const level = 1e-4;

/** Whether a share of one group is certainly above that of another. */
const isAbove = (count: number, of: number, other: number, otherOf: number): boolean =>
  of > 0 && otherOf > 0 && fisherExcess(count, of, other, otherOf) < level;

/**
 * Counts the patients whose whole record (the same codes in the same visits) is on two sides. By chance, two
 * patients have the same record where records are short and common: how often is read off the training
 * patients themselves, by how many of them have a twin among the others. A holdout patient from the same
 * population has one just as often, so only what lies beyond that (Fisher's exact test, p < 0.0001) shows
 * that the sides share people. Synthetic patients may repeat training patients, which is what privacy metrics
 * measure; that they repeat holdout patients more often than training patients shows that the generator has
 * seen the holdout. Patients without a code are left out. `undefined` where a side has no patients.
 */
export const sharedPatients = (
  train: VisitColumns,
  holdout: VisitColumns,
  synthetic: VisitColumns,
  suppressBelow: number,
): SharedPatients | undefined => {
  const [real, others, made] = [train, holdout, synthetic].map(recordKeys) as [string[], string[], string[]];
  if (real.length === 0 || others.length === 0) return undefined;
  const times = new Map<string, number>();
  for (const key of real) times.set(key, (times.get(key) ?? 0) + 1);
  const twins = real.filter((key) => (times.get(key) ?? 0) > 1).length;
  const inTraining = (keys: readonly string[]) => keys.filter((key) => times.has(key)).length;
  const inBoth = inTraining(others);
  const held = new Set(others);
  const copiesOfTrain = inTraining(made);
  const copiesOfHoldout = made.filter((key) => held.has(key)).length;
  const shown = (count: number) => (count > 0 && count < suppressBelow ? null : count);
  return {
    holdoutInTraining: shown(inBoth),
    of: others.length,
    byChance: shown(twins) === null ? null : (twins / real.length) * others.length,
    isInTraining: isAbove(inBoth, others.length, twins, real.length),
    isInSynthetic: isAbove(copiesOfHoldout, made.length, copiesOfTrain, made.length),
  };
};

/**
 * Why real patients outside the training set are no strangers here, in a sentence; undefined where they are.
 */
export const notStrangers = (shared: SharedPatients | undefined): string | undefined => {
  if (!shared) return undefined;
  const { holdoutInTraining, of, byChance, isInTraining, isInSynthetic } = shared;
  const chance = byChance === null ? 'a few' : decimal(byChance);
  if (isInTraining)
    return `${holdoutInTraining ?? 'some'} of ${of} patients outside the training set have the whole record of a training patient, ${chance} by chance: they are no strangers to the model`;
  if (isInSynthetic)
    return 'synthetic patients have whole records of patients outside the training set more often than of training patients: the generator has seen them';
  return undefined;
};
