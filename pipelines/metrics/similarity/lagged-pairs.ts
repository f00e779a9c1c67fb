import { z } from 'zod';
import { defineMetric } from '../metric.ts';
import { agreement } from '../rows/agreement.ts';
import { recordView } from '../rows/agreement-rows.ts';
import { atLag } from '../statistics/derived-columns.ts';
import { countOccurrences } from '../statistics/occurrence-counts.ts';

/** As the sequential bigrams of HALO (Theodorou et al. 2023, Fig. 3), for visits that are farther apart. */
export default defineMetric({
  name: 'lagged-pairs',
  family: 'similarity',
  title: 'Co-occurrence of visits farther apart',
  about:
    'Do the codes of one visit predict those of the visit after the next as in real records? Every (code, code two visits later), in order, over all such pairs that either cohort has. A model that only knows the last visit loses this.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  options: z.object({
    lag: z
      .int()
      .min(2)
      .max(20)
      .default(2)
      .describe('how many visits lie between: 2 is the visit after the next'),
  }),
  *compute(input) {
    const cohorts = {
      ...input,
      train: atLag(input.train, input.options.lag),
      synthetic: atLag(input.synthetic, input.options.lag),
    };
    const counts = countOccurrences(cohorts.train, cohorts.synthetic, 'sequences');
    const view = recordView('pair', cohorts.train, cohorts.synthetic);
    return { rows: yield* agreement('sequences', cohorts, counts, [{ views: [view] }]) };
  },
});
