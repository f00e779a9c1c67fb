import test from 'ava';
import { halfSampleIntervals } from '../../../../pipelines/metrics/statistics/half-samples.ts';

const size = 200;
const values = Float64Array.from({ length: size }, (_, i) => Math.sin(i * i));
const meanOf = (kept: Uint8Array): number => {
  const chosen = values.filter((_, i) => kept[i] === 1);
  return chosen.reduce((sum, value) => sum + value, 0) / chosen.length;
};
const mean = meanOf(new Uint8Array(size).fill(1));
const intervals = (replicates: number, least = -1, sizes = [size, size]) =>
  halfSampleIntervals([mean, 0, 1], [[least, 1] as const, [-1, 1] as const, [0, 1] as const], {
    sizes,
    seed: 5,
    replicates,
    statistics: ([a, b]) => [meanOf(a as Uint8Array), meanOf(a as Uint8Array) - meanOf(b as Uint8Array), 1],
  });

test('half samples: a mean and a difference of means get the textbook interval', (t) => {
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = 1.96 * Math.sqrt(squares / (size - 1) / size);
  const [one = [0, 0], two = [0, 0]] = intervals(2000);
  t.true(Math.abs((one[1] - one[0]) / (2 * half) - 1) < 0.06, `${one}`);
  t.true(Math.abs((two[1] - two[0]) / (2 * Math.SQRT2 * half) - 1) < 0.06, `${two}`);
  t.true(Math.abs((one[0] + one[1]) / 2 - mean) < 1e-12);
});

test('half samples: cut to what is possible, and none without a spread, resamples or patients', (t) => {
  t.is(intervals(50, mean)[0]?.[0], mean);
  t.is(intervals(50)[2], undefined);
  t.deepEqual(intervals(1), []);
  t.deepEqual(intervals(50, -1, [size, 3]), []);
});
