import { phase, type Steps } from '../../../kernel/steps.ts';
import {
  codesOfVisit,
  patientCount,
  type VisitColumns,
  VisitColumnsBuilder,
  visitRange,
} from '../../../patients/visit-columns.ts';
import { type DistanceTask, distanceRows, keysFor, never } from '../../statistics/distance-rows.ts';
import { type PrivacyCohorts, tooFewPatients } from '../../statistics/samples.ts';
import { type AttackResult, attackMissing } from './attack-scores.ts';
import { type CandidateOptions, type Candidates, candidateAttack } from './candidates.ts';

export interface VisitAttackOptions extends CandidateOptions {
  /** Visits of fewer codes coincide by chance, and are not looked at. */
  leastCodes: number;
}

/** Each visit of enough codes as a record of its own, without labels, and whose it is. */
const visitsAlone = (columns: VisitColumns, leastCodes: number) => {
  const builder = new VisitColumnsBuilder();
  const owners: number[] = [];
  for (let patient = 0; patient < patientCount(columns); patient++) {
    const [first, end] = visitRange(columns, patient);
    for (let visit = first; visit < end; visit++) {
      const codes = codesOfVisit(columns, visit);
      if (codes.length < leastCodes) continue;
      builder.addPatient([codes], new Uint8Array(0));
      owners.push(patient);
    }
  }
  return { columns: builder.build(), owners: Int32Array.from(owners) };
};

/** Distance to the nearest reference of each query that is another patient's; `never` where there is none. */
function* nearestOfOthers(
  task: DistanceTask,
  owners: Int32Array,
  referenceOwners: Int32Array,
): Steps<Int32Array> {
  const found = new Int32Array(owners.length).fill(never);
  yield* distanceRows(task, (query, row, width, first, offset) => {
    let least = found[query] as number;
    for (let j = 0; j < width; j++) {
      const distance = offset + (row[j] as number);
      if (distance < least && referenceOwners[first + j] !== owners[query]) least = distance;
    }
    found[query] = least;
  });
  return found;
}

/**
 * The visit that gives a candidate away most: how many times farther the nearest visit of another candidate
 * is from it than the nearest synthetic visit, with 1 added to both distances; the largest over the
 * candidate's visits. It is the attack by nearest record, calibrated by the difficulty of a record (Watson et
 * al., ICLR 2022), made on visits: records that are stitched together from visits of many patients are near
 * to none of them. A candidate without a visit of enough codes has −∞. `[candidates]`.
 */
export function* visitScores(
  { columns }: Candidates,
  synthetic: VisitColumns,
  leastCodes: number,
): Steps<Float64Array> {
  const { columns: visits, owners } = visitsAlone(columns, leastCodes);
  const shared = keysFor([visits, visitsAlone(synthetic, leastCodes).columns], 'hamming');
  const task = { shared, query: 0, distance: 'hamming' } as const;
  // No synthetic visit has an owner among the candidates.
  const none = new Int32Array(0);
  const made = yield* phase('synthetic', 0, 2, nearestOfOthers({ ...task, reference: 1 }, owners, none));
  const others = nearestOfOthers({ ...task, reference: 0 }, owners, owners);
  const real = yield* phase('candidates', 1, 2, others);
  const scores = new Float64Array(patientCount(columns)).fill(Number.NEGATIVE_INFINITY);
  for (const [visit, owner] of owners.entries()) {
    const score = ((real[visit] as number) + 1) / ((made[visit] as number) + 1);
    scores[owner] = Math.max(scores[owner] as number, score);
  }
  return scores;
}

/**
 * Membership by visits: candidates one of whose visits a synthetic visit is nearer to than other patients'
 * are.
 */
export function* visitAttack(cohorts: PrivacyCohorts, options: VisitAttackOptions): Steps<AttackResult> {
  const { leastCodes } = options;
  const { train, test, synthetic } = cohorts;
  const hasVisit = (columns: VisitColumns) => visitsAlone(columns, leastCodes).owners.length > 0;
  const note = tooFewPatients(cohorts);
  if (note) return attackMissing(note);
  if (!hasVisit(synthetic) || !(hasVisit(train) || hasVisit(test)))
    return attackMissing(`no synthetic or no real visit has ${leastCodes} codes or more`);
  return yield* candidateAttack(cohorts, options, (candidates) =>
    visitScores(candidates, synthetic, leastCodes),
  );
}
