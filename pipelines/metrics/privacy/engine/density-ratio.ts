import { phase, type Steps } from '../../../kernel/steps.ts';
import { keysFor } from '../../statistics/distance-rows.ts';
import type { PrivacyCohorts } from '../../statistics/samples.ts';
import type { AttackResult } from './attack-scores.ts';
import { type CandidateOptions, type Candidates, candidateAttack } from './candidates.ts';
import { codeKernel, logKernelSums } from './code-kernel.ts';

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
export const densityRatioAttack = (cohorts: PrivacyCohorts, options: CandidateOptions): Steps<AttackResult> =>
  candidateAttack(cohorts, options, densityRatioScores);
