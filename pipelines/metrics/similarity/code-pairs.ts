import { defineMetric } from '../metric.ts';
import { agreement } from '../rows/agreement.ts';
import { frequencySeries, recordView, referenceRecordView, visitView } from '../rows/agreement-rows.ts';
import { countOccurrences } from '../statistics/occurrence-counts.ts';

/** Same-visit bigrams of HALO (Theodorou et al. 2023, Fig. 3); evaluate_datasets.py lines 87–92, 108–109. */
export default defineMetric({
  name: 'code-pairs',
  family: 'similarity',
  title: 'Same-visit co-occurrence',
  about:
    'Do the same codes occur together in a visit? Every unordered pair of codes that shares a visit, over all pairs that either cohort has.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  headline: { 'record-r2': 'Same-visit co-occurrence R²' },
  *compute(input) {
    const { train: real, synthetic } = input;
    const counts = countOccurrences(real, synthetic, 'pairs');
    const record = recordView('pair', real, synthetic);
    const visit = visitView('pair', real, synthetic);
    const reference = referenceRecordView('pair', real, synthetic);
    return {
      rows: yield* agreement('pairs', input, counts, [{ views: [record, visit, reference] }]),
      series: frequencySeries('pairs', counts, record),
    };
  },
});
