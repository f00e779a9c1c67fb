import { z } from 'zod';
import { defineMetric } from '../metric.ts';
import { attackResult, ours } from './engine/attack-rows.ts';
import { densityRatioAttack } from './engine/density-ratio.ts';

/** DOMIAS (van Breugel et al., AISTATS 2023), with a kernel on records: docs/privacy-metrics.md. */
export default defineMetric({
  name: 'membership-density-ratio',
  family: 'privacy',
  title: 'Membership by density ratio',
  about:
    'Can an attacker who has the synthetic cohort and other real records identify training patients? Patients where the density of synthetic patients exceeds that of real ones are classified as training patients.',
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
    return attackResult([[ours, attack]]);
  },
});
