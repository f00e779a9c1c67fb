/**
 * Sex and age of patients, as the rules about codes need them: real ones have them, and synthetic ones where
 * sampled.
 */
import type { VisitColumns } from '../patients/visit-columns.ts';

export type Sex = 'male' | 'female';

/**
 * From when on, in years, a code of adults is none of a child's, and until when a code of newborns can be.
 */
export const adultFrom = 10;
export const newbornUntil = 1;

/** By the first letter of the fact `sex`; undefined where it is unknown or another one. */
export const sexOf = (
  { demographics }: Pick<VisitColumns, 'demographics'>,
  patient: number,
): Sex | undefined => {
  const fact = demographics?.['sex'];
  if (fact?.kind !== 'categorical') return undefined;
  const level = fact.levels[fact.values[patient] as number]?.trim().toLowerCase() ?? '';
  if (level.startsWith('f')) return 'female';
  return level.startsWith('m') ? 'male' : undefined;
};

/** In years at the first visit, by the fact `age`. */
export const ageOf = (
  { demographics }: Pick<VisitColumns, 'demographics'>,
  patient: number,
): number | undefined => {
  const fact = demographics?.['age'];
  const age = fact?.kind === 'numeric' ? (fact.values[patient] as number) : Number.NaN;
  return Number.isNaN(age) ? undefined : age;
};
