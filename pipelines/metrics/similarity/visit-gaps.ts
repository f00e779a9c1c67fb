import { z } from 'zod';
import type { Steps } from '../../kernel/steps.ts';
import { defineMetric, type MetricResult, type PartialRow, type Series } from '../metric.ts';
import { measureRow } from '../rows/measure-row.ts';
import { resampledRows } from '../rows/resampled-rows.ts';
import { numberDistance, numberMoments } from '../statistics/distributions.ts';
import {
  type GapColumns,
  gapColumns,
  type LengthPool,
  lengthPools,
  poolMeans,
} from '../statistics/gap-columns.ts';
import { type Measure, measured, missing } from '../statistics/measure.ts';

type Sides = readonly [real: GapColumns, synthetic: GapColumns];
type Weights = readonly [Int32Array, Int32Array];

const heading = (row: string, title: string, about: string, more: Partial<PartialRow> = {}) => ({
  row,
  title,
  about,
  more,
});
const closer = { better: 'closer-to-real' } as const;
const headings = [
  heading(
    'mean',
    'Mean days between visits',
    'from admission to admission, over all visits after the first',
    closer,
  ),
  heading('sd', 'Standard deviation of days between visits', 'how much they vary around the mean', closer),
  heading(
    'ks',
    'Kolmogorov–Smirnov distance of days between visits',
    'the largest difference between the two cumulative shares: 0 is the same, 1 is no overlap',
    { range: [0, 1] },
  ),
  heading(
    'wasserstein',
    'Wasserstein distance of days between visits',
    'by how many days, on average, gaps must be moved to make the distributions equal',
  ),
  heading(
    'by-length',
    'Mean days between visits by record length',
    'by how many days the mean gap of records of one length is off, averaged over the real records: longer ones have shorter gaps (HALO, Fig. 4b)',
  ),
  heading(
    'untold',
    'Visits without a gap',
    'share of the visits after the first that have no gap to the visit before',
    { ...closer, range: [0, 1] },
  ),
] as const;

const shareWithoutGap = ({ later, withoutGap }: GapColumns, weights: Int32Array): number | null => {
  const sum = (counts: Int32Array) =>
    counts.reduce((all, n, patient) => all + n * (weights[patient] as number), 0);
  const all = sum(later);
  return all === 0 ? null : sum(withoutGap) / all;
};

/**
 * Mean absolute difference over the pools that both sides have, each weighing as many real patients as it
 * has.
 */
const lengthDifference = (
  [real, synthetic]: Sides,
  pools: readonly LengthPool[],
  weights: Weights,
): number | null => {
  const theirs = poolMeans(real, pools, weights[0]);
  const ours = poolMeans(synthetic, pools, weights[1]);
  let [sum, all] = [0, 0];
  pools.forEach(({ patients }, pool) => {
    const [a, b] = [theirs[pool] ?? null, ours[pool] ?? null];
    if (a === null || b === null) return;
    sum += patients * Math.abs(a - b);
    all += patients;
  });
  return all === 0 ? null : sum / all;
};

const rowsOf = (sides: Sides, pools: readonly LengthPool[], weights: Weights): PartialRow[] => {
  const [real, synthetic] = sides;
  const theirs = numberMoments(real.gaps, weights[0]);
  const ours = numberMoments(synthetic.gaps, weights[1]);
  const apart = numberDistance([real.gaps, synthetic.gaps], weights);
  const n = ours?.n ?? 0;
  const later = synthetic.later.reduce((sum, visits) => sum + visits, 0);
  const nothing = 'one of the two cohorts has no gaps between visits';
  const orMissing = (value: number | null | undefined, own = n, why = nothing): Measure =>
    value === null || value === undefined ? missing(why, own) : measured(value, own);
  const measures: [Measure, (number | null)?][] = [
    [orMissing(ours?.mean), theirs?.mean ?? null],
    [orMissing(ours?.sd), theirs?.sd ?? null],
    [orMissing(apart?.ks)],
    [orMissing(apart?.wasserstein)],
    [
      orMissing(
        lengthDifference(sides, pools, weights),
        pools.length,
        'no record length has enough real patients, and synthetic ones, with a gap',
      ),
    ],
    [
      orMissing(shareWithoutGap(synthetic, weights[1]), later, 'no synthetic patient has a second visit'),
      shareWithoutGap(real, weights[0]),
    ],
  ];
  return headings.map(({ more, ...row }, i) => {
    const [measure, theirs] = measures[i] as [Measure, (number | null)?];
    return measureRow(row, measure, { ...more, real: theirs });
  });
};

/** Days at which the bars of the distribution part; the last one is open. */
const cuts = [0, 1, 7, 30, 90, 180, 365, 730];

const barsOf = ([real, synthetic]: Sides): Series => {
  const barOf = (days: number) =>
    Math.max(
      0,
      cuts.findLastIndex((cut) => days >= cut),
    );
  const counts = ({ gaps }: GapColumns) => {
    const bars = cuts.map(() => 0);
    for (const days of gaps.values) bars[barOf(days)] = (bars[barOf(days)] as number) + 1;
    return bars;
  };
  const patients = cuts.map(() => new Set<number>());
  real.gaps.values.forEach((days, i) => {
    patients[barOf(days)]?.add(real.gaps.patients[i] as number);
  });
  return {
    from: cuts,
    real: counts(real),
    synthetic: counts(synthetic),
    patients: patients.map(({ size }) => size),
  };
};

const poolName = ({ from, to }: LengthPool): string => {
  if (to === Number.POSITIVE_INFINITY) return `${from}+`;
  return to - from === 1 ? `${from}` : `${from}–${to - 1}`;
};

const seriesOf = (sides: Sides, pools: readonly LengthPool[], weights: Weights): Record<string, Series> => {
  const [theirs, ours] = [poolMeans(sides[0], pools, weights[0]), poolMeans(sides[1], pools, weights[1])];
  const both = [...pools.keys()].filter((pool) => theirs[pool] !== null && ours[pool] !== null);
  const name = (pool: number) => poolName(pools[pool] as LengthPool);
  return {
    gaps: barsOf(sides),
    'gap-by-length': {
      length: both.map(name),
      real: both.map((pool) => theirs[pool] as number),
      synthetic: both.map((pool) => ours[pool] as number),
      patients: both.map((pool) => pools[pool]?.patients ?? 0),
    },
  };
};

/** Gaps between visits of HALO (Theodorou et al. 2023, Fig. 4a and 4b). */
export default defineMetric({
  name: 'visit-gaps',
  family: 'similarity',
  title: 'Days between visits',
  about:
    'Do synthetic patients return after as many days as real ones, and those with many visits sooner? Needs a vocabulary with gaps (`tokens.gaps: true`).',
  better: 'lower',
  range: [0, Number.POSITIVE_INFINITY],
  needs: ['train', 'synthetic'],
  reference: 'holdout',
  options: z.object({
    leastPatients: z
      .int()
      .positive()
      .default(11)
      .describe(
        'real patients with a gap that a record length must have; lengths with fewer are taken together',
      ),
  }),
  *compute(input): Steps<MetricResult> {
    const { vocabulary, train, synthetic, options } = input;
    if (!vocabulary.codes.some(({ modality }) => modality === 'gap')) {
      const why = 'the vocabulary has no gaps between visits; see `tokens.gaps`';
      return { rows: headings.map(({ more, ...row }) => measureRow(row, missing(why), more)) };
    }
    const sides: Sides = [gapColumns(train, vocabulary), gapColumns(synthetic, vocabulary)];
    const pools = lengthPools(sides[0], options.leastPatients);
    const once = sides.map(({ visits }) => new Int32Array(visits.length).fill(1)) as [Int32Array, Int32Array];
    const rows = yield* resampledRows(input, [0, Number.POSITIVE_INFINITY], (weights) =>
      rowsOf(sides, pools, [weights.real, weights.synthetic]),
    );
    return { rows, series: seriesOf(sides, pools, once) };
  },
});
