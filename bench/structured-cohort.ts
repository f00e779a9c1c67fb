import { RandomSource } from '../pipelines/kernel/random.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../pipelines/patients/visit-columns.ts';

/** Simulated conditions: each a label, with codes of its own that occur together; some are chronic. */
const conditions = 25;
const codesPerCondition = 16;
const background = 200;
export const structuredShape = { codes: conditions * codesPerCondition + background, labels: conditions };

const factors = 5;
const mostVisits = 12;

/** Uniform numbers of one address, one after the other. */
function* units(source: RandomSource, major: number): Generator<number, never> {
  const block = new Float64Array(128);
  for (let from = 0; ; from += block.length) {
    source.fill(block, from, from + block.length, major);
    yield* block;
  }
}

/** The conditions and their codes: the same for every seed of patients. */
const world = (() => {
  const stream = units(new RandomSource(2026, 'weights'), 0);
  const next = () => stream.next().value;
  return Array.from({ length: conditions }, (_, i) => ({
    // Log-odds from about 4 % to 40 %, as the 25 phenotypes have.
    base: -3.2 + 2.6 * (1 - i / conditions),
    factor: Math.floor(next() * factors),
    chronic: next() < 0.6,
    shares: Array.from({ length: codesPerCondition }, (_, k) => 0.75 * 0.8 ** k * (0.5 + next())),
  }));
})();

/**
 * Simulated patients whose codes depend on each other as in a hospital: conditions share hidden causes, bring codes that
 * occur together, and the chronic ones come back at every visit. About 14 codes a visit and 1.4 visits a patient.
 * Patient i of a seed is always the same.
 */
export function structuredCohort(patients: number, seed: number): VisitColumns {
  const source = new RandomSource(seed, 'patients');
  const builder = new VisitColumnsBuilder();
  for (let patient = 0; patient < patients; patient++) {
    const stream = units(source, patient);
    const next = () => stream.next().value;
    const causes = Array.from({ length: factors }, () => 3 * (next() + next() + next() - 1.5));
    const odds = world.map(({ base, factor }) => 1 / (1 + Math.exp(-base - (causes[factor] as number))));
    const standing = odds.map((p) => next() < p);
    const seen = new Uint8Array(conditions);
    const visits: number[][] = [];
    do {
      const visit: number[] = [];
      world.forEach(({ chronic, shares }, i) => {
        const present = chronic ? standing[i] : next() < (odds[i] as number);
        if (!present) return;
        seen[i] = 1;
        shares.forEach((share, k) => {
          if (next() < share) visit.push(i * codesPerCondition + k);
        });
      });
      for (let rank = 0; rank < background; rank++)
        if (next() < 0.25 / (1 + rank / 6)) visit.push(conditions * codesPerCondition + rank);
      if (visit.length > 0) visits.push(visit);
    } while (visits.length < mostVisits && (visits.length === 0 || next() < 0.28));
    builder.addPatient(visits, seen);
  }
  return builder.build();
}
