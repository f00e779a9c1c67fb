import { RandomSource } from '../pipelines/kernel/random.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../pipelines/patients/visit-columns.ts';

/** Shape of MIMIC-III as its users count it: 1.27 visits a patient, 11 codes a visit, 6,841 codes, 25 labels. */
const shape = {
  codes: 6841,
  labels: 25,
  anotherVisit: 0.21,
  mostVisits: 42,
  mostCodes: 21,
  labelShare: 0.17,
};

/** Running totals of Zipf weights 1 / (rank + 8): the commonest code is in about a third of the visits. */
const zipfOf = (codes: number): Float64Array => {
  let total = 0;
  return Float64Array.from({ length: codes }, (_, rank) => {
    total += 1 / (rank + 8);
    return total;
  });
};

function codeAt(zipf: Float64Array, unit: number): number {
  const wanted = unit * (zipf[zipf.length - 1] as number);
  let low = 0;
  let high = zipf.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((zipf[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Uniform numbers of one patient, one after the other. */
function* units(source: RandomSource, patient: number): Generator<number, never> {
  const block = new Float64Array(64);
  for (let from = 0; ; from += block.length) {
    source.fill(block, from, from + block.length, patient);
    yield* block;
  }
}

/** Simulated patients with MIMIC-like sparsity. Patient i of a seed is always the same. */
export function simulatedCohort(patients: number, seed: number, codeCount = shape.codes): VisitColumns {
  const zipf = zipfOf(codeCount);
  const source = new RandomSource(seed, 'patients');
  const builder = new VisitColumnsBuilder();
  for (let patient = 0; patient < patients; patient++) {
    const stream = units(source, patient);
    const next = () => stream.next().value;
    const visits = [];
    do {
      const size = 1 + Math.floor(next() * shape.mostCodes);
      const codes = new Set<number>();
      while (codes.size < size) codes.add(codeAt(zipf, next()));
      visits.push(codes);
    } while (visits.length < shape.mostVisits && next() < shape.anotherVisit);
    builder.addPatient(
      visits,
      Array.from({ length: shape.labels }, () => (next() < shape.labelShare ? 1 : 0)),
    );
  }
  return builder.build();
}

/** Patients as plain objects, as the published scripts have them. */
export const patientsOf = (columns: VisitColumns): { visits: number[][]; labels: number[] }[] => {
  const perPatient = columns.labels.length / (columns.visitOffsets.length - 1);
  return Array.from(columns.visitOffsets.subarray(1), (end, p) => ({
    visits: Array.from({ length: end - (columns.visitOffsets[p] as number) }, (_, v) => {
      const visit = (columns.visitOffsets[p] as number) + v;
      return [...columns.codes.subarray(columns.codeOffsets[visit], columns.codeOffsets[visit + 1])];
    }),
    labels: [...columns.labels.subarray(p * perPatient, (p + 1) * perPatient)],
  }));
};
