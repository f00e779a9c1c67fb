import test from 'ava';
import { gaps, moments } from '../../../../pipelines/metrics/statistics/distributions.ts';
import { rankSample } from '../../../../pipelines/metrics/statistics/rank-sample.ts';
import { lengthHistogram } from '../../../../pipelines/patients/visit-columns.ts';
import { averageRanks, pearson, r2, spearman } from './plain-agreement.ts';

const f = (...values: number[]) => Float64Array.from(values);
const u = (...counts: number[]) => Uint32Array.from(counts);

test('r2 is the coefficient of determination and not symmetric', (t) => {
  t.is(r2(f(1, 2, 3), f(1, 2, 3)), 1);
  t.is(r2(f(1, 2, 3), f(2, 2, 2)), 0);
  t.is(r2(f(1, 2, 3), f(3, 2, 1)), -3);
  t.not(r2(f(1, 2, 4), f(1, 2, 3)), r2(f(1, 2, 3), f(1, 2, 4)));
  t.is(r2(f(0.1, 0.1, 0.1), f(1, 2, 3)), null, 'nothing to explain');
  t.is(r2(f(), f()), null);
});

test('correlations: closed forms, ties, constants', (t) => {
  t.is(pearson(f(1, 2, 3), f(10, 20, 30)), 1);
  t.is(spearman(u(1, 2, 3, 4), u(1, 10, 100, 1000)), 1);
  t.is(spearman(u(1, 2, 3), u(9, 4, 1)), -1);
  t.deepEqual(averageRanks(u(5, 1, 5, 3)), f(3.5, 1, 3.5, 2));
  t.is(pearson(f(0.1, 0.1, 0.1), f(1, 2, 3)), null);
  t.is(spearman(u(1), u(1)), null);
});

test('lengths: moments, Kolmogorov–Smirnov and Wasserstein in closed form', (t) => {
  const a = lengthHistogram(Int32Array.of(0, 1, 3, 6));
  t.deepEqual([...a.counts], [0, 1, 1, 1]);
  t.deepEqual(moments(a), { mean: 2, sd: Math.sqrt(2 / 3) });
  const shifted = lengthHistogram(Int32Array.of(0, 3, 7, 12));
  const apart = gaps(a, shifted);
  t.is(apart?.wasserstein, 2, 'every length moved by two');
  t.true(Math.abs((apart?.ks ?? 0) - 2 / 3) < 1e-15);
  t.deepEqual(gaps(a, a), { ks: 0, wasserstein: 0 });
  t.is(gaps(a, lengthHistogram(Int32Array.of(0))), null);
  t.is(moments(lengthHistogram(Int32Array.of(0))), null);
});

test('a rank sample keeps the head, reaches the tail, and repeats nothing', (t) => {
  t.deepEqual(rankSample(3, 10), [0, 1, 2]);
  for (const n of [11, 1000, 5_000_000]) {
    const ranks = rankSample(n, 10);
    t.true(ranks.length <= 10);
    t.is(ranks[0], 0);
    t.is(ranks.at(-1), n - 1);
    t.deepEqual(
      [...new Set(ranks)],
      [...ranks].sort((a, b) => a - b),
    );
  }
  t.is(rankSample(1_000_000, 4000).length, 4000);
});
