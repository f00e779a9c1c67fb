import { defineMetric } from '../metric.ts';
import { agreement } from '../rows/agreement.ts';
import { adjacentView, recordView } from '../rows/agreement-rows.ts';
import { recurring } from '../statistics/derived-columns.ts';
import { countOccurrences } from '../statistics/occurrence-counts.ts';

/** No published definition: chronic conditions come back, and a model of visits one by one forgets them. */
export default defineMetric({
  name: 'recurrence',
  family: 'similarity',
  title: 'Codes that come back at the next visit',
  about:
    'Does each code come back at the next visit in as large a share of synthetic patients as of real ones? Over all codes that come back in either cohort.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  headline: { 'record-r2': 'Recurring codes R²' },
  *compute(input) {
    const { train, synthetic } = input;
    const cohorts = { ...input, train: recurring(train), synthetic: recurring(synthetic) };
    const counts = countOccurrences(cohorts.train, cohorts.synthetic, 'codes');
    const views = [
      recordView('recurring code', train, synthetic),
      adjacentView('recurring code', train, synthetic),
    ];
    return { rows: yield* agreement('codes', cohorts, counts, [{ views }]) };
  },
});
