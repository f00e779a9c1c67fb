import test from 'ava';
import { bootstrapIntervals, quantile } from '../../../../pipelines/metrics/statistics/bootstrap.ts';

const mean = (values: readonly number[]) => (counts: readonly Int32Array[]) => [
  values.reduce((sum, value, i) => sum + value * (counts[0]?.[i] ?? NaN), 0) / values.length,
];

test('quantiles interpolate between neighbors', (t) => {
  t.is(quantile([1, 2, 4], 0.5), 2);
  t.is(quantile([1, 2, 4], 0.75), 3);
  t.is(quantile([7], 0.025), 7);
});

test('the interval of a mean has the width that theory gives', (t) => {
  const values = Array.from({ length: 400 }, (_, i) => (i % 20) - 9.5);
  const [interval] = bootstrapIntervals({
    sizes: [400],
    seed: 9,
    replicates: 4000,
    statistics: mean(values),
  });
  const sd = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / 400 / 400);
  const [low = NaN, high = NaN] = interval ?? [];
  t.true(
    Math.abs(high - 1.96 * sd) < 0.1 * sd && Math.abs(low + 1.96 * sd) < 0.1 * sd,
    `${low} ${high} ${sd}`,
  );
});

test('each resample draws as many as there are, groups apart, and seeds differ', (t) => {
  const seen: string[] = [];
  const task = {
    sizes: [5, 5],
    replicates: 20,
    statistics: (counts: readonly Int32Array[]) => {
      for (const count of counts)
        t.is(
          count.reduce((sum, value) => sum + value, 0),
          5,
        );
      seen.push(counts.map((count) => count.join('')).join(' '));
      return [counts[0]?.[0] ?? null];
    },
  };
  const first = bootstrapIntervals({ ...task, seed: 1 });
  t.deepEqual(bootstrapIntervals({ ...task, seed: 1 }), first);
  bootstrapIntervals({ ...task, seed: 2 });
  t.deepEqual(seen.slice(0, 20), seen.slice(20, 40));
  t.notDeepEqual(seen.slice(0, 20), seen.slice(40));
  t.true(seen.some((pair) => pair.slice(0, 5) !== pair.slice(6)));
});

test('no interval of one patient, of nothing, or of what is mostly undefined', (t) => {
  const statistics = () => [1];
  t.deepEqual(bootstrapIntervals({ sizes: [1], seed: 1, replicates: 50, statistics }), []);
  t.deepEqual(bootstrapIntervals({ sizes: [9], seed: 1, replicates: 0, statistics }), []);
  const often = { sizes: [9], seed: 1, replicates: 50, statistics: () => [null, 2] };
  t.deepEqual(bootstrapIntervals(often), [undefined, [2, 2]]);
});
