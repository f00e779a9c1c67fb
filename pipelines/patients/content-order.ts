import {
  codeRange,
  labelsOfPatient,
  patientCount,
  selectPatients,
  type VisitColumns,
  visitRange,
} from './visit-columns.ts';

/** Mixes one more number into a hash (the finalizer of MurmurHash3 over a running state). */
const mix = (state: number, value: number, multiplier: number): number => {
  let hash = Math.imul(state ^ value, multiplier);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
};

/** 53 bits of what a patient's record holds: labels, visits, their codes and numbers. */
const contentHash = (columns: VisitColumns, patient: number): number => {
  const { codes, values } = columns;
  let a = 1;
  let b = 2;
  const add = (value: number) => {
    a = mix(a, value, 0x9e3779b1);
    b = mix(b, value, 0xc2b2ae35);
  };
  for (const label of labelsOfPatient(columns, patient)) add(label);
  const [first, end] = visitRange(columns, patient);
  for (let visit = first; visit < end; visit++) {
    // No token is negative, so this marks where a visit begins.
    add(-1);
    const [from, to] = codeRange(columns, visit);
    for (let i = from; i < to; i++) {
      add(codes[i] as number);
      // Thousandths distinguish the numbers of two patients with the same codes; NaN counts as 0.
      if (values) add(Math.round((values[i] as number) * 1000));
    }
  }
  return (a >>> 5) * 67108864 + (b >>> 6);
};

/**
 * The same patients in an order that follows from what their records hold and looks random. What samples,
 * divides or breaks ties by position then gives the same result in whatever order the patients came.
 */
export const inContentOrder = (columns: VisitColumns): VisitColumns => {
  const count = patientCount(columns);
  const hashes = Float64Array.from({ length: count }, (_, p) => contentHash(columns, p));
  const order = Int32Array.from({ length: count }, (_, p) => p);
  order.sort((p, q) => (hashes[p] as number) - (hashes[q] as number) || p - q);
  return selectPatients(columns, order);
};
