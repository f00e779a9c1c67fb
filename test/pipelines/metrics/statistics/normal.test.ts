import test from 'ava';
import { normalQuantile, widened } from '../../../../pipelines/metrics/statistics/normal.ts';

test('quantiles of the normal distribution as in tables', (t) => {
  const tabled: [p: number, quantile: number][] = [
    [0.5, 0],
    [0.975, 1.959964],
    [0.025, -1.959964],
    [0.995, 2.575829],
    [0.999, 3.090232],
    [1e-7, -5.199338],
    [1 - 1e-13, 7.348796],
  ];
  for (const [p, quantile] of tabled) t.true(Math.abs(normalQuantile(p) - quantile) < 1e-4, `${p}`);
});

test('an interval of one try stays; of several it grows, within what is possible', (t) => {
  t.deepEqual(widened(0.5, [0.25, 0.75], 1, [0, 1]), [0.25, 0.75]);
  const [low, high] = widened(0.9, [0.8, 0.95], 8, [0, 1]);
  const factor = normalQuantile(1 - 0.025 / 8) / normalQuantile(0.975);
  t.true(Math.abs(low - (0.9 - 0.1 * factor)) < 1e-12);
  t.true(Math.abs(high - (0.9 + 0.05 * factor)) < 1e-12);
  t.is(widened(0.9, [0.8, 0.99], 8, [0, 1])[1], 1);
});
