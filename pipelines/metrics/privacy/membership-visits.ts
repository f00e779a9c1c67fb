import { z } from 'zod';
import { defineMetric } from '../metric.ts';
import { attackResult, ours } from './engine/attack-rows.ts';
import { visitAttack } from './engine/visit-membership.ts';

/** No published definition; ours is in docs/privacy-metrics.md. */
export default defineMetric({
  name: 'membership-visits',
  family: 'privacy',
  title: 'Membership by nearest visit',
  about:
    'Can an attacker who has the synthetic cohort and other real records identify training patients by a single visit? Patients with a visit that a synthetic visit is much nearer to than visits of other patients are classified as training patients, whichever synthetic record it is in.',
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'halves',
  options: z.object({
    size: z.int().positive().optional().describe('most training patients attacked'),
    leastCodes: z
      .int()
      .min(1)
      .default(5)
      .describe('visits of fewer codes are not looked at: they coincide by chance'),
  }),
  *compute({ train, holdout, synthetic, seed, replicates, options }) {
    const cohorts = { train, test: holdout, synthetic };
    const attack = yield* visitAttack(cohorts, { ...options, seed, replicates });
    return attackResult([[ours, attack]]);
  },
});
