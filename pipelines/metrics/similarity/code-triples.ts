import { z } from 'zod';
import { defineMetric } from '../metric.ts';
import { agreement } from '../rows/agreement.ts';
import { recordView, visitView } from '../rows/agreement-rows.ts';
import { mostFrequentCodes, triplesAmong } from '../statistics/derived-columns.ts';
import { countOccurrences } from '../statistics/occurrence-counts.ts';

/** As the same-visit bigrams of HALO (Theodorou et al. 2023, Fig. 3), for three codes. */
export default defineMetric({
  name: 'code-triples',
  family: 'similarity',
  title: 'Three codes in a visit',
  about:
    'Do the same three codes occur together in a visit? Every unordered triple of the codes that are most frequent in real visits, over all triples that either cohort has. Pairs can be right where triples are not.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  options: z.object({
    codes: z
      .int()
      .min(3)
      .max(300)
      .default(50)
      .describe('how many codes triples are made of; 50 make 19,600 triples, and memory grows with the cube'),
  }),
  *compute(input) {
    const among = mostFrequentCodes(input.train, input.options.codes);
    const cohorts = {
      ...input,
      train: triplesAmong(input.train, among),
      synthetic: triplesAmong(input.synthetic, among),
    };
    const counts = countOccurrences(cohorts.train, cohorts.synthetic, 'codes');
    const views = [
      recordView('triple', cohorts.train, cohorts.synthetic),
      visitView('triple', cohorts.train, cohorts.synthetic),
    ];
    return { rows: yield* agreement('codes', cohorts, counts, [{ views }]) };
  },
});
