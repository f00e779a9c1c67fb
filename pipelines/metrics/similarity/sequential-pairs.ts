import { defineMetric } from '../metric.ts';
import { agreement } from '../rows/agreement.ts';
import {
  adjacentView,
  divisor,
  frequencySeries,
  recordView,
  referenceRecordView,
  type View,
} from '../rows/agreement-rows.ts';
import { countOccurrences } from '../statistics/occurrence-counts.ts';

/**
 * Sequential bigrams of HALO (Theodorou et al. 2023, Fig. 3); evaluate_datasets.py lines 93–99, 110–111.
 * Per visit we divide by the pairs of adjacent visits there are. The reference divides by visits − patients,
 * which is that number only while every patient has a visit.
 */
export default defineMetric({
  name: 'sequential-pairs',
  family: 'similarity',
  title: 'Consecutive-visit co-occurrence',
  about:
    'Do the codes of one visit predict those of the next as in real records? Every (code, code of the next visit), in order, over all such pairs that either cohort has.',
  better: 'higher',
  range: [Number.NEGATIVE_INFINITY, 1],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  headline: { 'record-r2': 'Consecutive-visit co-occurrence R²' },
  *compute(input) {
    const { train: real, synthetic } = input;
    const counts = countOccurrences(real, synthetic, 'sequences');
    const record = recordView('sequential pair', real, synthetic);
    const visit = adjacentView('sequential pair', real, synthetic);
    const referenceVisit: View = {
      ...visit,
      row: 'reference-visit',
      title: `${visit.title}, as published`,
      real: divisor(real, 'visitsLessOne'),
      synthetic: divisor(synthetic, 'adjacentVisits'),
      statistics: ['r2'],
      note: 'Computed as in the HALO code: counts are divided by visits minus patients.',
    };
    const reference = referenceRecordView('sequential pair', real, synthetic);
    return {
      rows: yield* agreement('sequences', input, counts, [
        { views: [record, visit, reference, referenceVisit] },
      ]),
      series: frequencySeries('sequences', counts, record),
    };
  },
});
