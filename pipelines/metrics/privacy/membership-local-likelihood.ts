import { z } from 'zod';
import { defineMetric } from '../metric.ts';
import { attackResult, ours } from './engine/attack-rows.ts';
import { localLikelihoodAttack } from './engine/local-likelihood.ts';

/** Gen-LRA (Ward, Wang and Cheng 2024): docs/privacy-metrics.md. */
export default defineMetric({
  name: 'membership-local-likelihood',
  family: 'privacy',
  title: 'Membership by local likelihood',
  about:
    'Can an attacker who has the synthetic cohort and other real records identify training patients? Patients without whom the synthetic patients nearest to them would be much less probable are classified as training patients.',
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'halves',
  options: z.object({
    size: z.int().positive().optional().describe('most training patients attacked'),
    neighbors: z
      .int()
      .positive()
      .default(5)
      .describe('synthetic patients around each attacked patient whose likelihood is compared'),
  }),
  *compute({ train, holdout, synthetic, seed, replicates, options: { size, neighbors } }) {
    const options = { seed, replicates, size, neighbors };
    const attack = yield* localLikelihoodAttack({ train, test: holdout, synthetic }, options);
    return attackResult([[ours, attack]]);
  },
});
