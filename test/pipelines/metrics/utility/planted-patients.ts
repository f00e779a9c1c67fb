import { RandomSource } from '../../../../pipelines/kernel/random.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../../../../pipelines/patients/visit-columns.ts';
import type { Vocabulary } from '../../../../schemas/vocabulary.ts';

/**
 * Codes 0–39 come in ten blocks of four, 40–59 are noise; `sign` defines label 0, and `hint` goes with it.
 */
export const [sign, hint, tokenCount] = [60, 61, 62];

export const plantedVocabulary: Vocabulary = {
  codes: Array.from({ length: tokenCount }, (_, i) => ({ modality: 'dx' as const, code: `${i}` })),
  labels: ['planted', 'never', 'unknown'],
};

export const plantedDefinitions = [new Set([sign]), new Set<number>(), undefined];

/**
 * Patients with patterns to find. Block b of a visit brings block b + 1 in the next. Label 0 always has its
 * sign and mostly its hint; label 1 nobody has; label 2 is a coin. `scrambled` deals the same codes out at
 * random.
 */
export const plantedPatients = (
  patients: number,
  stream: number,
  { scrambled = false, mostVisits = 3 } = {},
): VisitColumns => {
  const source = new RandomSource(23, 'patients');
  const builder = new VisitColumnsBuilder();
  const units = new Float64Array(64);
  for (let patient = 0; patient < patients; patient++) {
    source.fill(units, 0, 64, patient, stream);
    let at = 0;
    const next = (below: number) => Math.floor((units[at++] as number) * below);
    const positive = next(2) === 1;
    const coin = next(2);
    let block = next(10);
    const visits = Array.from({ length: 1 + next(mostVisits) }, () => {
      const visit = [0, 1, 2, 3].map((i) => (scrambled ? next(40) : block * 4 + i));
      visit.push(40 + next(20), 40 + next(20));
      if (positive) visit.push(sign);
      if (next(10) < (positive ? 9 : 2)) visit.push(hint);
      block = (block + 1) % 10;
      return visit;
    });
    builder.addPatient(visits, [positive ? 1 : 0, 0, coin]);
  }
  return builder.build();
};
