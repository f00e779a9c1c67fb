import type { Cohort } from '../patients/cohort-columns.ts';

/**
 * Days from one kept visit's admission to the next's, per visit: NaN at a patient's first kept visit and at
 * visits that are not kept. What lies between two kept visits belongs to the later one's gap.
 */
export const gapsBetween = ({ visitOffsets, visitFacts }: Cohort, isKept: Uint8Array): Float32Array => {
  const since = visitFacts['days_since_admission'];
  const gaps = new Float32Array(isKept.length).fill(Number.NaN);
  if (since?.kind !== 'numeric') return gaps;
  for (let patient = 0; patient + 1 < visitOffsets.length; patient++) {
    let days = Number.NaN;
    for (let v = visitOffsets[patient] as number; v < (visitOffsets[patient + 1] as number); v++) {
      days += since.values[v] as number;
      if (isKept[v] === 0) continue;
      gaps[v] = days;
      days = 0;
    }
  }
  return gaps;
};
