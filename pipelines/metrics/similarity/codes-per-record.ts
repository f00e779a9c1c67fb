import type { Steps } from '../../kernel/steps.ts';
import { lengthHistogram } from '../../patients/visit-columns.ts';
import { defineMetric, type MetricResult } from '../metric.ts';
import { lengthRows, lengthSeries } from '../rows/length-rows.ts';
import { resampledRows } from '../rows/resampled-rows.ts';
import { distinctCodeOffsets } from '../statistics/derived-columns.ts';

/**
 * Beside the lengths of HALO's Table 2: a generator may get visits right and repeat too few or too many
 * codes.
 */
export default defineMetric({
  name: 'codes-per-record',
  family: 'similarity',
  title: 'Distinct codes per patient',
  about: 'Do synthetic patients have as many different codes as real ones, over all their visits?',
  better: 'lower',
  range: [0, Number.POSITIVE_INFINITY],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  *compute(input): Steps<MetricResult> {
    const [theirs, ours] = [distinctCodeOffsets(input.train), distinctCodeOffsets(input.synthetic)];
    const real = lengthHistogram(theirs);
    return {
      rows: yield* resampledRows(input, [0, Number.POSITIVE_INFINITY], (weights) =>
        lengthRows(
          'distinct codes per patient',
          lengthHistogram(theirs, weights.real),
          lengthHistogram(ours, weights.synthetic),
        ),
      ),
      series: { lengths: lengthSeries(real, lengthHistogram(ours), real.counts) },
    };
  },
});
