import type { Steps } from '../../kernel/steps.ts';
import { type Histogram, lengthHistogram } from '../../patients/visit-columns.ts';
import { defineMetric, type MetricResult, type PartialRow } from '../metric.ts';
import { lengthRows, lengthSeries } from '../rows/length-rows.ts';
import { referenceNote } from '../rows/measure-row.ts';
import { resampledRows } from '../rows/resampled-rows.ts';

const what = 'visits per patient';

const withoutVisits = ({ counts, n }: Histogram): number | null => (n === 0 ? null : (counts[0] ?? 0) / n);

const emptyRow = (real: Histogram, synthetic: Histogram): PartialRow => ({
  row: 'empty-share',
  title: 'Patients without any visit',
  about: 'share of patients for whom no visit was generated; they count in every other row',
  value: withoutVisits(synthetic),
  real: withoutVisits(real),
  n: synthetic.n,
  behind: { real: real.counts[0] ?? 0, judged: synthetic.counts[0] ?? 0 },
  better: 'closer-to-real',
  range: [0, 1],
  note: synthetic.n === 0 ? 'The synthetic cohort has no patients.' : undefined,
});

/** Mean and deviation as the HALO code has them: without the synthetic patients that have no visit. */
const referenceRows = (real: Histogram, { counts, n }: Histogram): PartialRow[] => {
  const present = { counts: counts.with(0, 0), n: n - (counts[0] ?? 0) };
  return lengthRows(what, real, present)
    .slice(0, 2)
    .map((row) => ({
      ...row,
      note: row.note ?? referenceNote,
      row: `reference-${row.row}`,
      title: `${row.title}, as published`,
    }));
};

/** Record lengths of HALO (Theodorou et al. 2023, Table 2); evaluate_datasets.py lines 55–65. */
export default defineMetric({
  name: 'visits-per-record',
  family: 'similarity',
  title: 'Visits per patient',
  about: 'Do synthetic patients have as many visits as real ones?',
  better: 'lower',
  range: [0, Number.POSITIVE_INFINITY],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  headline: { wasserstein: 'Visits per patient, distance' },
  *compute(input): Steps<MetricResult> {
    const { train, synthetic } = input;
    const real = lengthHistogram(train.visitOffsets);
    const rows = yield* resampledRows(input, [0, Number.POSITIVE_INFINITY], (weights) => {
      const theirs = lengthHistogram(train.visitOffsets, weights.real);
      const ours = lengthHistogram(synthetic.visitOffsets, weights.synthetic);
      return [...lengthRows(what, theirs, ours), emptyRow(theirs, ours), ...referenceRows(theirs, ours)];
    });
    const delivered = lengthHistogram(synthetic.visitOffsets);
    return { rows, series: { lengths: lengthSeries(real, delivered, real.counts) } };
  },
});
