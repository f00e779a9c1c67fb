import { joinRecords, patientCount, type VisitColumns } from '../../../patients/visit-columns.ts';
import type { AttackScores } from '../../statistics/roc.ts';
import { type PrivacyCohorts, sample } from '../../statistics/samples.ts';

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

/** Most candidates of each side that are attacked, and how they are chosen. */
export interface CandidateOptions {
  seed: number;
  size?: number;
}

export const candidatesOf = (
  { train, test }: Pick<PrivacyCohorts, 'train' | 'test'>,
  { seed, size: most = Number.POSITIVE_INFINITY }: CandidateOptions,
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
