import { defineMetric } from '../metric.ts';
import { agreement } from '../rows/agreement.ts';
import { adjacentView, recordView } from '../rows/agreement-rows.ts';
import { afterHistory } from '../statistics/derived-columns.ts';
import { countOccurrences } from '../statistics/occurrence-counts.ts';

/**
 * As the sequential bigrams of HALO (Theodorou et al. 2023, Fig. 3), with any later visit in the place of the
 * next one. A pair counts once per patient; per visit it counts once for every later visit with the second
 * code, however many earlier visits have the first.
 */
export default defineMetric({
  name: 'later-pairs',
  family: 'similarity',
  title: 'Co-occurrence with any later visit',
  about:
    'Do codes predict those of any later visit as in real records, however many visits lie between? Every (code of an earlier visit, code of a later one), in order, over all such pairs that either cohort has.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  *compute(input) {
    const { train, synthetic } = input;
    const cohorts = { ...input, train: afterHistory(train), synthetic: afterHistory(synthetic) };
    const counts = countOccurrences(cohorts.train, cohorts.synthetic, 'sequences');
    const perVisit = adjacentView('later pair', train, synthetic);
    const views = [
      recordView('later pair', train, synthetic),
      { ...perVisit, title: 'later pair frequencies per visit after the first' },
    ];
    return { rows: yield* agreement('sequences', cohorts, counts, [{ views }]) };
  },
});
