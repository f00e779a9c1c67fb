import { phase, type Steps } from '../../../kernel/steps.ts';
import { keysFor } from '../../statistics/distance-rows.ts';
import { nearestFew } from '../../statistics/nearest.ts';
import type { PrivacyCohorts } from '../../statistics/samples.ts';
import type { AttackResult } from './attack-scores.ts';
import { type CandidateOptions, type Candidates, candidateAttack } from './candidates.ts';
import { codeKernel, logKernelSums, pairKernel } from './code-kernel.ts';

interface LocalLikelihoodOptions extends CandidateOptions {
  /** Synthetic patients around each candidate whose likelihood is looked at. */
  neighbors: number;
}

/** Least share of a density that is left without a candidate: what rounding leaves of it. */
const least = 1e-12;

/**
 * By how much a candidate x raises the log-likelihood of the k synthetic patients S nearest to it, under the
 * density of the other candidates R: Gen-LRA, ln p(S | R ∪ x) − ln p(S | R) (Ward, Wang, Cheng: Privacy
 * auditing synthetic data release through local likelihood attacks, 2024, and the authors' Synth-MIA,
 * `gen_lra`). For a kernel density it is −Σ ln(1 − r) up to a constant, with r the part of the density at a
 * synthetic patient that comes from x: large where a record is near to x and to no one else. `[candidates]`.
 */
export function* localLikelihoodScores(
  { columns }: Candidates,
  synthetic: PrivacyCohorts['synthetic'],
  neighbors: number,
): Steps<Float64Array> {
  const shared = keysFor([columns, synthetic], 'hamming');
  const kernel = codeKernel(shared, 0);
  // ln Σ K(s | candidate) over all candidates, for each synthetic patient s.
  const sums = yield* phase('densities', 0, 2, logKernelSums({ shared, query: 1, reference: 0 }, kernel));
  const around = nearestFew({ shared, query: 0, reference: 1, distance: 'hamming' }, neighbors);
  const { index } = yield* phase('neighbors', 1, 2, around);
  const kernelOf = pairKernel({ shared, query: 1, reference: 0 }, kernel);
  return Float64Array.from({ length: index.length / neighbors }, (_, candidate) => {
    const near = [...index.subarray(candidate * neighbors, (candidate + 1) * neighbors)].filter(
      (s) => s >= 0,
    );
    const logs = kernelOf(candidate, near);
    // 1 − r; −expm1 keeps its digits where r is small.
    const without = logs.map((log, i) =>
      Math.max(least, -Math.expm1(Math.min(0, log - (sums[near[i] as number] as number)))),
    );
    return without.reduce((sum, share) => sum - Math.log(share), 0);
  });
}

/**
 * Membership by local likelihood: candidates without whom the synthetic patients near them would be
 * improbable.
 */
export const localLikelihoodAttack = (
  cohorts: PrivacyCohorts,
  options: LocalLikelihoodOptions,
): Steps<AttackResult> =>
  candidateAttack(cohorts, options, (candidates, synthetic) =>
    localLikelihoodScores(candidates, synthetic, options.neighbors),
  );
