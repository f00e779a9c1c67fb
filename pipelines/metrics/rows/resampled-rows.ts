import type { Steps } from '../../kernel/steps.ts';
import { patientCount } from '../../patients/visit-columns.ts';
import type { MetricInput, PartialRow } from '../metric.ts';
import { centeredIntervals, oneByOne } from '../statistics/bootstrap.ts';

/** How often each patient counts on either side. */
export interface PatientWeights {
  real: Int32Array;
  synthetic: Int32Array;
}

/**
 * Rows of `compute`, each with the interval that its value has when `compute` is called again and again with
 * resampled patients of both cohorts. For what is cheap: `compute` must give the same rows in the same order.
 */
export function* resampledRows(
  { train, synthetic, seed, replicates }: Pick<MetricInput, 'train' | 'synthetic' | 'seed' | 'replicates'>,
  [least, greatest]: readonly [number, number],
  compute: (weights: PatientWeights) => PartialRow[],
): Steps<PartialRow[]> {
  const sizes = [patientCount(train), patientCount(synthetic)];
  const [real = 0, made = 0] = sizes;
  const rows = compute({ real: new Int32Array(real).fill(1), synthetic: new Int32Array(made).fill(1) });
  const intervals = yield* centeredIntervals(
    oneByOne({
      sizes,
      seed,
      replicates,
      statistics: ([ofReal, ofSynthetic]) =>
        compute({ real: ofReal as Int32Array, synthetic: ofSynthetic as Int32Array }).map(
          ({ value }) => value,
        ),
    }),
    rows.map(({ value, range }) => ({
      value,
      range: [range?.[0] ?? least, range?.[1] ?? greatest],
    })),
  );
  return rows.map((row, i) => {
    const interval = intervals[i];
    return interval ? { ...row, interval } : row;
  });
}
