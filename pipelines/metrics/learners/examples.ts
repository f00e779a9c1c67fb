import { RandomSource } from '../../kernel/random.ts';
import type { Example } from '../../nn/networks/visit-batch.ts';
import { patientCount, type VisitColumns, visitsOf } from '../../patients/visit-columns.ts';

export const labelsPerPatient = (cohort: VisitColumns): number =>
  patientCount(cohort) === 0 ? 0 : cohort.labels.length / patientCount(cohort);

/** Draws that must not meet under one seed: which cohort, and what for. */
export const roles = { train: 0, validation: 1, test: 2, synthetic: 3, syntheticTest: 4 } as const;
export type Role = keyof typeof roles;

/** A random order of `size` things for one use of the seed. */
const shuffled = (size: number, seed: number, use: number): Int32Array =>
  new RandomSource(seed, 'order').permutation(size, 2 ** 48 + use);

/** Up to `size` of `candidates` without replacement, in random order. */
export const draw = <T>(candidates: readonly T[], size: number, seed: number, use: number): T[] => {
  const order = shuffled(candidates.length, seed, use);
  return Array.from(order.subarray(0, size), (i) => candidates[i] as T);
};

/**
 * Patients with and without a label, those without any visit left out: a classifier has nothing to read
 * there.
 */
export const byLabel = (
  cohort: VisitColumns,
  label: number,
): { positives: Example[]; negatives: Example[] } => {
  const width = labelsPerPatient(cohort);
  const positives: Example[] = [];
  const negatives: Example[] = [];
  for (let patient = 0; patient < patientCount(cohort); patient++) {
    if (visitsOf(cohort, patient) === 0) continue;
    const positive = cohort.labels[patient * width + label] === 1;
    (positive ? positives : negatives).push({ cohort, patient, positive });
  }
  return { positives, negatives };
};

export interface BalancedTask {
  cohort: VisitColumns;
  label: number;
  /** Patients of the whole set; half of them are positive. */
  size: number;
  seed: number;
  role: Role;
}

/**
 * As many patients with a label as without, drawn without replacement: `size` in all, or as many as the rarer
 * side allows. (The published script draws positives with replacement even where that is not needed.)
 */
export const balancedSet = ({ cohort, label, size, seed, role }: BalancedTask): Example[] => {
  const { positives, negatives } = byLabel(cohort, label);
  const half = Math.min(Math.floor(size / 2), positives.length, negatives.length);
  const use = (label * 8 + roles[role]) * 2;
  return [...draw(positives, half, seed, use), ...draw(negatives, half, seed, use + 1)];
};
