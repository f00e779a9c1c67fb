import { phase, type Steps } from '../../../kernel/steps.ts';
import { keysFor } from '../../statistics/distance-rows.ts';
import { type PrivacyCohorts, tooFewPatients } from '../../statistics/samples.ts';
import { type AttackResult, attackMissing, type ScoreOptions, scoreAttack } from './attack-scores.ts';
import { type Candidates, candidatesOf, ofBoth } from './candidates.ts';
import { codeKernel, logKernelSums } from './code-kernel.ts';

interface DensityRatioOptions extends ScoreOptions {
  /** Most members attacked, and as many non-members. */
  size?: number;
}

/**
 * ln of the density of synthetic patients at each candidate, less that of the other candidates: DOMIAS (van
 * Breugel, Sun, Qian, van der Schaar: Membership inference attacks against synthetic data through overfitting
 * detection, AISTATS 2023, equation 2) with kernel densities on records (code-kernel.ts). `[candidates]`.
 */
export function* densityRatioScores(
  { columns }: Candidates,
  synthetic: PrivacyCohorts['synthetic'],
): Steps<Float64Array> {
  const shared = keysFor([columns, synthetic], 'hamming');
  const kernel = codeKernel(shared, 0);
  const task = { shared, query: 0 };
  const made = yield* phase('synthetic', 0, 2, logKernelSums({ ...task, reference: 1 }, kernel));
  const others = logKernelSums({ ...task, reference: 0, skipSelf: true }, kernel);
  const real = yield* phase('candidates', 1, 2, others);
  return made.map((log, candidate) => log - (real[candidate] as number));
}

/** Membership by density ratio: candidates where the generator puts more mass than the population does. */
export function* densityRatioAttack(
  cohorts: PrivacyCohorts,
  options: DensityRatioOptions,
): Steps<AttackResult> {
  const note = tooFewPatients({ ...cohorts });
  if (note) return attackMissing(note);
  const candidates = candidatesOf(cohorts, options);
  const scores = yield* densityRatioScores(candidates, cohorts.synthetic);
  return scoreAttack(ofBoth(candidates, scores), options);
}
