import { z } from 'zod';
import type { Steps } from '../../kernel/steps.ts';
import { defineMetric, type MetricResult, type PartialRow } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { resampledRows } from '../rows/resampled-rows.ts';
import { type GapColumns, gapColumns } from '../statistics/gap-columns.ts';
import { type Measure, measured, missing } from '../statistics/measure.ts';

const days = 30;

/** Share of visits after which the patient is back within 0, 1 … `horizon` days; null without a visit. */
const returnCurve = (
  { gaps, visits, withoutGap }: GapColumns,
  weights: Int32Array,
  horizon: number,
): Float64Array | null => {
  let all = 0;
  for (let p = 0; p < visits.length; p++)
    all += (weights[p] as number) * ((visits[p] as number) - (withoutGap[p] as number));
  if (all <= 0) return null;
  const curve = new Float64Array(horizon + 1);
  for (let i = 0; i < gaps.values.length; i++) {
    const day = Math.ceil(Math.max(0, gaps.values[i] as number));
    if (day <= horizon) curve[day] = (curve[day] as number) + (weights[gaps.patients[i] as number] as number);
  }
  for (let day = 1; day <= horizon; day++) curve[day] = (curve[day] as number) + (curve[day - 1] as number);
  return curve.map((count) => count / all);
};

const patientsBack = ({ gaps }: GapColumns): number =>
  new Set(gaps.patients.filter((_, i) => (gaps.values[i] as number) <= days)).size;

/** Mean days until the return, cut at the horizon: the area above the curve. */
const restrictedMean = (curve: Float64Array): number =>
  curve.subarray(0, -1).reduce((sum, share) => sum + 1 - share, 0);

/**
 * Times to the next visit as one less a survival curve. No record says when its observation ended, so
 * censoring at the last visit would leave no one at risk after it, and the curve would be that of the gaps
 * alone (`visit-gaps`). The end of the record is a competing event instead (cumulative incidence: Kalbfleisch
 * and Prentice 1980, chapter 8); a visit whose successor has no gap is left out.
 */
export default defineMetric({
  name: 'return-times',
  family: 'similarity',
  title: 'Return after a visit',
  about:
    'After as many visits as in real records, is there another one within a month, or a year? A record that ends counts as no return. Needs a vocabulary with gaps (`tokens.gaps: true`).',
  better: 'lower',
  range: [0, Number.POSITIVE_INFINITY],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  options: z.object({
    horizon: z.int().min(days).max(3650).default(365).describe('days that are looked at after each visit'),
  }),
  *compute(input): Steps<MetricResult> {
    const { vocabulary, train, synthetic, options } = input;
    const hasGaps = vocabulary.codes.some(({ modality }) => modality === 'gap');
    const [real, made] = [gapColumns(train, vocabulary), gapColumns(synthetic, vocabulary)];
    const n = made.visits.reduce((sum, visits) => sum + visits, 0);
    const behind = { real: patientsBack(real), judged: patientsBack(made) };
    const why = hasGaps
      ? 'one of the two cohorts has no visit'
      : 'the vocabulary has no gaps between visits; see `tokens.gaps`';
    const compute = (weights: { real: Int32Array; synthetic: Int32Array }): PartialRow[] => {
      const theirs = hasGaps ? returnCurve(real, weights.real, options.horizon) : null;
      const ours = hasGaps ? returnCurve(made, weights.synthetic, options.horizon) : null;
      const of = (value: (theirs: Float64Array, ours: Float64Array) => number): Measure =>
        theirs && ours ? measured(value(theirs, ours), n) : missing(why);
      return [
        measureRow(
          {
            row: 'distance',
            title: 'Largest distance of the return curves',
            about: `largest difference between the shares of visits after which the patient is back, over all times up to ${options.horizon} days`,
          },
          of((a, b) =>
            a.reduce((most, share, day) => Math.max(most, Math.abs(share - (b[day] as number))), 0),
          ),
          { range: [0, 1] },
        ),
        measureRow(
          {
            row: 'within-30-days',
            title: `Visits with a return within ${days} days`,
            about: 'share of all visits, last ones too, that are followed by another so soon',
          },
          of((_, b) => b[days] as number),
          { better: 'closer-to-real', range: [0, 1], real: theirs ? (theirs[days] as number) : null, behind },
        ),
        measureRow(
          {
            row: 'restricted-mean-difference',
            title: 'Difference of the mean days to the next visit',
            about: `absolute difference of the restricted means; a visit without a return counts ${options.horizon} days`,
          },
          of((a, b) => Math.abs(restrictedMean(a) - restrictedMean(b))),
        ),
      ];
    };
    return { rows: yield* resampledRows(input, [0, Number.POSITIVE_INFINITY], compute) };
  },
});
