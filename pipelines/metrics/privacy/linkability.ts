import { z } from 'zod';
import { defineMetric } from '../metric.ts';
import { linkability } from './engine/linkability.ts';
import { riskRows } from './engine/residual-risk.ts';

/** Giomi et al., PoPETs 2023, section 5.2, for sets of codes: docs/privacy-metrics.md. */
export default defineMetric({
  name: 'linkability',
  family: 'privacy',
  title: 'Linkability',
  about:
    'GDPR, second test: an attacker has two data sets with different codes of the same patients. Do synthetic patients reveal which records belong together, for training patients more often than for real non-members?',
  better: 'lower',
  range: [-1, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'none',
  headline: { risk: 'Linkability, risk' },
  options: z.object({
    neighbors: z.int().positive().default(1).describe('nearest synthetic patients that count as a link'),
    leastCodes: z
      .int()
      .positive()
      .default(2)
      .describe('patients with fewer codes in either data set are not attacked'),
    size: z.int().positive().default(5000).describe('most patients attacked on each side'),
  }),
  *compute({ train, holdout, synthetic, seed, replicates, options }) {
    const cohorts = { train, test: holdout, synthetic };
    const found = yield* linkability(cohorts, { ...options, seed, replicates });
    return {
      rows: riskRows(found, {
        title: 'Linkability',
        success:
          'success: share of real patients for whom the same synthetic patient is nearest to both parts of their codes',
        guess: 'share of patients whose parts are linked by synthetic patients drawn at random',
      }),
    };
  },
});
