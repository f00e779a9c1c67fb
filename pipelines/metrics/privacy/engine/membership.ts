import { phase, type Steps } from '../../../kernel/steps.ts';
import { patientCount } from '../../../patients/visit-columns.ts';
import { type Distance, keysFor } from '../../statistics/distance-rows.ts';
import { nearest } from '../../statistics/nearest.ts';
import type { AttackScores } from '../../statistics/roc.ts';
import {
  type PrivacyCohorts,
  sample,
  tooFewPatients,
  withCodes,
  withVisits,
} from '../../statistics/samples.ts';
import { type AttackResult, attackMissing, type ScoreOptions, scoreAttack } from './attack-scores.ts';
import { type CandidateOptions, type Candidates, candidateAttack } from './candidates.ts';

interface DatasetAttackOptions extends ScoreOptions {
  /** `halo` for the reference script's numbers, `codes` for PyHealth's. */
  distance: Distance;
  /** Most members attacked, and as many non-members; HALO takes 7,500. */
  size?: number;
}

/** Scores of the dataset attack: minus the distance to the nearest synthetic patient. */
export function* datasetAttackScores(cohorts: PrivacyCohorts, distance: Distance): Steps<AttackScores> {
  const shared = keysFor([cohorts.train, cohorts.test, cohorts.synthetic], distance);
  const near = (query: number) => nearest({ shared, query, reference: 2, distance });
  const members = yield* phase('members', 0, 2, near(0));
  const nonMembers = yield* phase('non-members', 1, 2, near(1));
  return {
    members: Float64Array.from(members.distance, (d) => -d),
    nonMembers: Float64Array.from(nonMembers.distance, (d) => -d),
  };
}

/**
 * HALO's dataset attack: patients with a synthetic patient near are classified as members. As many members as
 * non-members are attacked, drawn by seed, so that guessing is right half the time. The model attack of the
 * same paper needs no function of its own: give `scoreAttack` the log-likelihoods.
 */
export function* datasetAttack(cohorts: PrivacyCohorts, options: DatasetAttackOptions): Steps<AttackResult> {
  let { train, test, synthetic } = cohorts;
  if (options.distance === 'halo') synthetic = withVisits(synthetic);
  if (options.distance === 'codes')
    [train, test, synthetic] = [withCodes(train), withCodes(test), withCodes(synthetic)];
  const note = tooFewPatients({ train, test, synthetic });
  if (note) return attackMissing(note);
  const size = Math.min(patientCount(train), patientCount(test), options.size ?? Infinity);
  const attacked = {
    train: sample(train, size, options.seed, 'train'),
    test: sample(test, size, options.seed, 'test'),
    synthetic,
  };
  return scoreAttack(yield* datasetAttackScores(attacked, options.distance), options);
}

/**
 * How many times farther the nearest other candidate is than the nearest synthetic patient, with 1 added to
 * both distances: a record that is near to all is no sign of membership. Where a synthetic patient and
 * another candidate are equal to it alike, it is 1. Calibration by the difficulty of a record as in Watson et
 * al. (ICLR 2022), and of distances as in GAN-Leaks (Chen et al., CCS 2020, section 4.4). `[candidates]`.
 */
export function* relativeDistanceScores(
  { columns }: Candidates,
  synthetic: PrivacyCohorts['synthetic'],
): Steps<Float64Array> {
  const shared = keysFor([columns, synthetic], 'hamming');
  const task = { shared, query: 0, distance: 'hamming' } as const;
  const made = yield* phase('synthetic', 0, 2, nearest({ ...task, reference: 1 }));
  const real = yield* phase('candidates', 1, 2, nearest({ ...task, reference: 0, skipSelf: true }));
  return Float64Array.from(
    made.distance,
    (distance, candidate) => ((real.distance[candidate] as number) + 1) / (distance + 1),
  );
}

/** The dataset attack calibrated by the other candidates; as many members as non-members are attacked. */
export const calibratedDatasetAttack = (
  cohorts: PrivacyCohorts,
  options: CandidateOptions,
): Steps<AttackResult> => candidateAttack(cohorts, options, relativeDistanceScores);
