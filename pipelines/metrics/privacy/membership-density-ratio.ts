import { z } from 'zod';
import { defineMetric } from '../metric.ts';
import { attackRows, ours, rocSeries } from './engine/attack-rows.ts';
import { densityRatioAttack } from './engine/density-ratio.ts';

/**
 * In the manner of DOMIAS (van Breugel et al., AISTATS 2023), with a kernel on sets of codes:
 * docs/privacy-metrics.md.
 */
export default defineMetric({
  name: 'membership-density-ratio',
  family: 'privacy',
  title: 'Membership by density ratio',
  about:
    'Can an attacker who knows the population identify training patients? Patients where the density of synthetic patients exceeds that of real non-members (patients not used for training) are classified as training patients.',
  better: 'lower',
  range: [0, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'halves',
  options: z.object({
    size: z.int().positive().optional().describe('most training patients attacked'),
  }),
  *compute({ train, holdout, synthetic, seed, replicates, options: { size } }) {
    const options = { seed, replicates, size };
    const attack = yield* densityRatioAttack({ train, test: holdout, synthetic }, options);
    return { rows: attackRows(attack, ours), series: rocSeries([[ours, attack]]) };
  },
});
