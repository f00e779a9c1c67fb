import type { Histogram, VisitColumns } from '../../patients/visit-columns.ts';
import type { PartialRow, Series } from '../metric.ts';
import { gaps, moments } from '../statistics/distributions.ts';

/** Mean and standard deviation of both sides, and how far apart the whole distributions are. */
export const lengthRows = (what: string, real: Histogram, synthetic: Histogram): PartialRow[] => {
  const ours = moments(synthetic);
  const theirs = moments(real);
  const apart = gaps(real, synthetic);
  const n = synthetic.n;
  const note = apart ? undefined : `One of the two cohorts is empty: it has no ${what}.`;
  return [
    {
      row: 'mean',
      title: `Mean ${what}`,
      about: 'the arithmetic mean',
      value: ours?.mean ?? null,
      real: theirs?.mean ?? null,
      n,
      better: 'closer-to-real',
      note,
    },
    {
      row: 'sd',
      title: `Standard deviation of ${what}`,
      about: 'how much it varies around the mean (population standard deviation, divided by n)',
      value: ours?.sd ?? null,
      real: theirs?.sd ?? null,
      n,
      better: 'closer-to-real',
      note,
    },
    {
      row: 'ks',
      title: `Kolmogorov–Smirnov distance of ${what}`,
      about: 'the largest difference between the two cumulative shares: 0 is the same, 1 is no overlap',
      value: apart?.ks ?? null,
      n,
      better: 'lower',
      range: [0, 1],
      note,
    },
    {
      row: 'wasserstein',
      title: `Wasserstein distance of ${what}`,
      about: `by how much, on average, lengths must be moved to make the distributions equal (${what})`,
      value: apart?.wasserstein ?? null,
      n,
      better: 'lower',
      note,
    },
  ];
};

/** The weight of each visit: that of its patient. */
export const visitWeights = (
  { visitOffsets, codeOffsets }: VisitColumns,
  weights: Int32Array,
): Int32Array => {
  const each = new Int32Array(codeOffsets.length - 1);
  for (let patient = 0; patient < weights.length; patient++)
    each.fill(weights[patient] as number, visitOffsets[patient], visitOffsets[patient + 1]);
  return each;
};

/** Counts per length for a plot; `patients` are the distinct real patients behind each, for suppression. */
export const lengthSeries = (real: Histogram, synthetic: Histogram, patients: ArrayLike<number>): Series => {
  const lengths = Array.from({ length: Math.max(real.counts.length, synthetic.counts.length) }, (_, i) => i);
  return {
    length: lengths,
    real: lengths.map((i) => real.counts[i] ?? 0),
    synthetic: lengths.map((i) => synthetic.counts[i] ?? 0),
    patients: lengths.map((i) => patients[i] ?? 0),
  };
};
