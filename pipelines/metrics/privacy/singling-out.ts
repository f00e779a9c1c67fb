import { z } from 'zod';
import { defineMetric } from '../metric.ts';
import { riskRows } from './engine/residual-risk.ts';
import { singlingOut } from './engine/singling-out.ts';

/** Giomi et al., PoPETs 2023, section 5.1, for sets of codes: docs/privacy-metrics.md. */
export default defineMetric({
  name: 'singling-out',
  family: 'privacy',
  title: 'Singling out',
  about:
    'GDPR, first test: do conditions that single out one synthetic patient (has these codes, so many visits) single out one training patient, more often than one real non-member?',
  better: 'lower',
  range: [-1, 1],
  needs: ['train', 'holdout', 'synthetic'],
  reference: 'none',
  headline: { risk: 'Singling out, risk' },
  options: z.object({
    predicates: z.int().positive().default(5000).describe('most conditions that are tried'),
    weight: z
      .number()
      .positive()
      .default(1e-4)
      .describe('codes are added to a condition until so many synthetic patients are expected to fulfil it'),
  }),
  *compute({ train, holdout, synthetic, seed, replicates, options }) {
    const cohorts = { train, test: holdout, synthetic };
    const found = yield* singlingOut(cohorts, { ...options, seed, replicates });
    return {
      rows: riskRows(found, {
        title: 'Singling out',
        success:
          'success: share of conditions, each true of exactly one synthetic patient, that are true of exactly one real patient',
        guess:
          'share of conditions that exactly one training patient fulfils, where as many codes are drawn by frequency',
      }),
    };
  },
});
