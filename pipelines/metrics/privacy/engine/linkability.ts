import type { Steps } from '../../../kernel/steps.ts';
import {
  codesOfPatient,
  patientCount,
  selectPatients,
  type VisitColumns,
} from '../../../patients/visit-columns.ts';
import { mostFrequentCodes, wholeRecords } from '../../statistics/derived-columns.ts';
import { distanceRows, keysFor } from '../../statistics/distance-rows.ts';
import { type PrivacyCohorts, sample, tooFewPatients, withCodes } from '../../statistics/samples.ts';
import { flatten, lastPlace } from './attribute-inference.ts';
import { noRisk, type ResidualRisk, residualRisk, type Tried } from './residual-risk.ts';

interface LinkabilityOptions {
  seed: number;
  replicates: number;
  /** Nearest synthetic patients that count as a link. */
  neighbors: number;
  /** A patient is attacked who has so many codes in each of the attacker's two data sets. */
  leastCodes: number;
  /** Most patients attacked on each side. */
  size: number;
}

/** Patients whose nearest neighbors are looked for between two safe points of their own. */
const chunk = 256;

/**
 * Codes of the attacker's first data set; the second has the others. Codes are dealt by rank of frequency, 1
 * to the first, 2 and 3 to the second, 4 and 5 to the first, so that both know equally much of a patient.
 */
const firstHalf = (columns: VisitColumns): Set<number> =>
  new Set(
    mostFrequentCodes(wholeRecords(columns), Number.POSITIVE_INFINITY).filter(
      (_, rank) => (rank + 1) % 4 < 2,
    ),
  );

type InHalf = (code: number) => boolean;

/** Those with enough codes in both halves. */
const attackable = (columns: VisitColumns, inFirst: InHalf, least: number): VisitColumns => {
  const kept: number[] = [];
  for (let p = 0; p < patientCount(columns); p++) {
    const codes = [...new Set(codesOfPatient(columns, p))];
    const first = codes.filter(inFirst).length;
    if (first >= least && codes.length - first >= least) kept.push(p);
  }
  return selectPatients(columns, kept);
};

/**
 * Probability that each synthetic patient is among the k nearest where equals are drawn; only those above 0.
 */
const placesOf = (row: Int32Array, k: number): Map<number, number> => {
  const { at, nearer, tied } = lastPlace(row, k);
  const places = new Map<number, number>();
  for (let j = 0; j < row.length; j++) {
    const distance = row[j] as number;
    if (distance <= at) places.set(j, distance < at ? 1 : (k - nearer) / tied);
  }
  return places;
};

/** Successes over all targets: how many nearest records both halves have in common, at most 1 each. */
function* links(targets: VisitColumns, synthetic: VisitColumns, inFirst: InHalf, k: number): Steps<Tried> {
  const count = patientCount(targets);
  const halves = [inFirst, (code: number) => !inFirst(code)].map((half) =>
    keysFor([flatten(targets, half), flatten(synthetic, half)], 'codes'),
  );
  let successes = 0;
  for (let from = 0; from < count; from += chunk) {
    const to = Math.min(count, from + chunk);
    const found: Map<number, number>[] = [];
    for (const [h, shared] of halves.entries())
      yield* distanceRows(
        // One block, so that a patient's whole row is there when the nearest are counted.
        {
          shared,
          query: 0,
          reference: 1,
          distance: 'codes',
          from,
          to,
          blockPatients: patientCount(synthetic),
        },
        (patient, row) => {
          const places = placesOf(row, k);
          if (h === 0) {
            found[patient - from] = places;
            return;
          }
          let common = 0;
          for (const [record, probability] of found[patient - from] as Map<number, number>)
            common += probability * (places.get(record) ?? 0);
          successes += Math.min(1, common);
        },
      );
  }
  return { successes, attacks: count };
}

/**
 * Linkability (Article 29 Working Party, Opinion 05/2014; Giomi et al., PoPETs 2023, section 5.2): the
 * attacker has two data sets, each with half of the codes of the same patients, and links two records where
 * the same synthetic record is among the nearest of both. Control: holdout patients. Of equally near records
 * one is drawn: successes are probabilities, so no number depends on the order of patients.
 */
export function* linkability(cohorts: PrivacyCohorts, options: LinkabilityOptions): Steps<ResidualRisk> {
  const { seed, replicates, leastCodes, size } = options;
  const synthetic = withCodes(cohorts.synthetic);
  const note = tooFewPatients({ ...cohorts, synthetic });
  if (note) return noRisk(note);
  const first = firstHalf(cohorts.train);
  const inFirst = (code: number) => first.has(code);
  const [train, test] = (['train', 'test'] as const).map((side) =>
    sample(attackable(cohorts[side], inFirst, leastCodes), size, seed, side),
  ) as [VisitColumns, VisitColumns];
  const few = tooFewPatients({ train, test });
  if (few) return noRisk(`${few} with ${leastCodes} codes in each of two data sets`);
  const k = Math.min(options.neighbors, patientCount(synthetic));
  const attack = yield* links(train, synthetic, inFirst, k);
  const control = yield* links(test, synthetic, inFirst, k);
  const guess = Math.min(1, (k * k) / patientCount(synthetic));
  return residualRisk(
    { attack, control, baseline: { successes: guess * attack.attacks, attacks: attack.attacks } },
    { replicates },
  );
}
