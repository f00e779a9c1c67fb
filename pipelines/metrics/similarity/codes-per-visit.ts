import type { Steps } from '../../kernel/steps.ts';
import type { VisitColumns } from '../../patients/visit-columns.ts';
import { lengthHistogram } from '../../patients/visit-columns.ts';
import { defineMetric, type MetricResult } from '../metric.ts';
import { lengthRows, lengthSeries, visitWeights } from '../rows/length-rows.ts';
import { resampledRows } from '../rows/resampled-rows.ts';

/** For each visit length, how many different patients have such a visit. */
const patientsByVisitLength = (
  { visitOffsets, codeOffsets }: VisitColumns,
  lengths: number,
): Float64Array => {
  const patients = new Float64Array(lengths);
  const lastPatient = new Int32Array(lengths);
  for (let patient = 1; patient < visitOffsets.length; patient++)
    for (let v = visitOffsets[patient - 1] as number; v < (visitOffsets[patient] as number); v++) {
      const length = (codeOffsets[v + 1] as number) - (codeOffsets[v] as number);
      if (lastPatient[length] === patient) continue;
      lastPatient[length] = patient;
      patients[length] = (patients[length] as number) + 1;
    }
  return patients;
};

/** Visit lengths of HALO (Theodorou et al. 2023, Table 2); evaluate_datasets.py lines 55–65. */
export default defineMetric({
  name: 'codes-per-visit',
  family: 'similarity',
  title: 'Codes per visit',
  about: 'Do synthetic visits have as many codes as real ones? Visits without a code count, with length 0.',
  better: 'lower',
  range: [0, Number.POSITIVE_INFINITY],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  headline: { wasserstein: 'Codes per visit, distance' },
  *compute(input): Steps<MetricResult> {
    const { train: real, synthetic } = input;
    const histogram = lengthHistogram(real.codeOffsets);
    const delivered = lengthHistogram(synthetic.codeOffsets);
    const patients = patientsByVisitLength(real, histogram.counts.length);
    return {
      rows: yield* resampledRows(input, [0, Number.POSITIVE_INFINITY], (weights) =>
        lengthRows(
          'codes per visit',
          lengthHistogram(real.codeOffsets, visitWeights(real, weights.real)),
          lengthHistogram(synthetic.codeOffsets, visitWeights(synthetic, weights.synthetic)),
        ),
      ),
      series: { lengths: lengthSeries(histogram, delivered, patients) },
    };
  },
});
