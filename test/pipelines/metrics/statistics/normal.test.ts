import test from 'ava';
import {
  independentDifference,
  normalQuantile,
  widened,
  wilsonInterval,
} from '../../../../pipelines/metrics/statistics/normal.ts';

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

test('the difference of two numbers has the spread of both, each end by the halves that lie that way', (t) => {
  const [low, high] = independentDifference(
    { value: 0.7, interval: [0.67, 0.8] },
    { value: 0.4, interval: [0.3, 0.44] },
  );
  t.true(Math.abs(low - (0.3 - Math.hypot(0.03, 0.04))) < 1e-12);
  t.true(Math.abs(high - (0.3 + Math.hypot(0.1, 0.1))) < 1e-12);
  const exact = { value: 0.5, interval: [0.5, 0.5] as const };
  t.deepEqual(independentDifference({ value: 0.75, interval: [0.5, 1] }, exact), [0, 0.5]);
});

test("Wilson's interval as in Newcombe 1998 (Statistics in Medicine 17, table I, method 3)", (t) => {
  const tabled: [hits: number, n: number, low: number, high: number][] = [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ];
  for (const [hits, n, low, high] of tabled) {
    const found = wilsonInterval(hits / n, n);
    t.true(Math.abs(found[0] - low) < 5e-5 && Math.abs(found[1] - high) < 5e-5, `${hits} of ${n}: ${found}`);
  }
});
