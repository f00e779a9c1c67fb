import type { Steps } from '../../../kernel/steps.ts';
import { joinRecords, patientCount, type VisitColumns } from '../../../patients/visit-columns.ts';
import type { AttackScores } from '../../statistics/roc.ts';
import { type PrivacyCohorts, sample, tooFewPatients } from '../../statistics/samples.ts';
import { type AttackResult, attackMissing, type ScoreOptions, scoreAttack } from './attack-scores.ts';

/**
 * The patients whom an attack on the cohort tests: as many training patients as others, in one cohort without
 * a mark. What an attacker knows of the population is the records of the *other* candidates, for each
 * candidate without its own: no patient has to be set apart, and no score depends on who is a member, so that
 * under no leak members and non-members can be exchanged, as the permutation test of strongest-attack.ts
 * does.
 */
export interface Candidates {
  columns: VisitColumns;
  /** So many of them are members; they come first. */
  members: number;
}

export interface CandidateOptions extends ScoreOptions {
  /** Most members attacked, and as many non-members. */
  size?: number;
}

export const candidatesOf = (
  { train, test }: Pick<PrivacyCohorts, 'train' | 'test'>,
  { seed, size: most = Number.POSITIVE_INFINITY }: Pick<CandidateOptions, 'seed' | 'size'>,
): Candidates => {
  const members = Math.min(patientCount(train), patientCount(test), most);
  const columns = joinRecords(sample(train, members, seed, 'train'), sample(test, members, seed, 'test'));
  return { columns, members };
};

/** Scores in the order of the candidates, as those of members and of others. */
export const ofBoth = ({ members }: Candidates, scores: Float64Array): AttackScores => ({
  members: scores.slice(0, members),
  nonMembers: scores.slice(members),
});

/** Scores of all candidates `[candidates]`; the higher, the more certain that one is a member. */
type ScoreCandidates = (candidates: Candidates, synthetic: VisitColumns) => Steps<Float64Array>;

/** Attacks candidates by their scores. */
export function* candidateAttack(
  cohorts: PrivacyCohorts,
  options: CandidateOptions,
  scoresOf: ScoreCandidates,
): Steps<AttackResult> {
  const note = tooFewPatients({ ...cohorts });
  if (note) return attackMissing(note);
  const candidates = candidatesOf(cohorts, options);
  const scores = yield* scoresOf(candidates, cohorts.synthetic);
  return scoreAttack(ofBoth(candidates, scores), options);
}
