import { defineMetric } from '../metric.ts';
import { agreement } from '../rows/agreement.ts';
import { frequencySeries, recordView, referenceRecordView, visitView } from '../rows/agreement-rows.ts';
import { countOccurrences } from '../statistics/occurrence-counts.ts';

/** Unigrams of HALO (Theodorou et al. 2023, Fig. 3); evaluate_datasets.py lines 84–86, 106–107, 133–136. */
export default defineMetric({
  name: 'code-prevalence',
  family: 'similarity',
  title: 'Code prevalence',
  about:
    'Does each code occur in as large a share of synthetic patients (and visits) as of real ones? Over all codes that either cohort has.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  headline: { 'record-r2': 'Code prevalence R²' },
  *compute(input) {
    const { train: real, synthetic } = input;
    const counts = countOccurrences(real, synthetic, 'codes');
    const record = recordView('code', real, synthetic);
    const visit = visitView('code', real, synthetic);
    const reference = referenceRecordView('code', real, synthetic);
    return {
      rows: yield* agreement('codes', input, counts, [{ views: [record, visit, reference] }]),
      series: frequencySeries('codes', counts, record),
    };
  },
});
