import test from 'ava';
import { RandomSource } from '../../../pipelines/kernel/random.ts';
import { type BucketRules, type Buckets, fitBuckets } from '../../../pipelines/tokens/value-buckets.ts';

const rules: BucketRules = { count: 10, leastPatients: 11, leastVisits: 1, trim: 0.01 };

/** Each number of another patient, unless patients are given. */
const fit = (
  values: number[],
  changed: Partial<BucketRules> = {},
  patients = [...values.keys()],
): Buckets => {
  const measurements = { values: Float32Array.from(values), patients };
  const buckets = fitBuckets(measurements, { ...rules, ...changed });
  if (!buckets) throw new Error('no buckets');
  return buckets;
};

const ranges = (buckets: Buckets): [number, number][] =>
  Array.from({ length: buckets.count }, (_, i) => {
    const { low, high } = buckets.range(i);
    return [low, high];
  });

/** Mean of what uniform draws on the grid of a bucket give, in closed form. */
const drawnMean = (buckets: Buckets, bucket: number): number => {
  const { low, high } = buckets.range(bucket);
  return (low + high - 10 ** -buckets.decimals) / 2;
};

const normals = (n: number, seed: number): number[] => {
  const uniforms = new Float64Array(2 * n);
  new RandomSource(seed, 'order').fill(uniforms, 0, 2 * n, 0);
  return Array.from({ length: n }, (_, i) => {
    const [u = 0, v = 0] = uniforms.subarray(2 * i, 2 * i + 2);
    return Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v);
  });
};

test('equally many numbers fall into each range, and every number into the one that holds it', (t) => {
  const values = Array.from({ length: 1000 }, (_, i) => i);
  const buckets = fit(values, { trim: 0 });
  t.is(buckets.count, 10);
  t.is(buckets.decimals, 0);
  const inner = ranges(buckets)
    .slice(1)
    .map(([low]) => low);
  t.deepEqual(inner, [100, 200, 300, 400, 500, 600, 700, 800, 900]);
  for (const value of values) {
    const { low, high } = buckets.range(buckets.of(value));
    t.true((low <= value || buckets.of(value) === 0) && (value < high || buckets.of(value) === 9));
  }
});

test('numbers are as precise as they were written', (t) => {
  const values = Array.from({ length: 200 }, (_, i) => i);
  t.is(fit(values).decimals, 0);
  t.is(fit(values.map((value) => value / 10)).decimals, 1);
  t.is(fit(values.map((value) => 0.85 + value / 100)).decimals, 2);
  t.is(fit(values.map((value) => value / 7)).decimals, 3);
  // Written into Float32, 0.9 is less than 0.9, and belongs to the bucket that begins there all the same.
  const tenths = fit(
    Array.from({ length: 300 }, (_, i) => (i % 30) / 10),
    { count: 30, leastPatients: 1 },
  );
  for (let i = 1; i < 29; i++) t.is(tenths.range(tenths.of(Math.fround(i / 10))).low, i / 10);
});

test('the number that half the visits have keeps a range of its own', (t) => {
  const values = Array.from({ length: 300 }, (_, i) => (i < 200 ? 0 : (i - 199) / 10));
  const buckets = fit(values);
  t.deepEqual(ranges(buckets)[0], [0, 0.1]);
  t.is(drawnMean(buckets, 0), 0);
  t.is(fit(Array.from({ length: 40 }, () => 7)).count, 1);
  t.deepEqual(ranges(fit(Array.from({ length: 40 }, () => 7))), [[7, 8]]);
});

test('a test with patients for one range only keeps its mean', (t) => {
  const values = [1, 2, 2, 3, 3, 3, 4, 5, 8, 13, 21, 34, 40, 55];
  const buckets = fit(values);
  t.is(buckets.count, 1);
  // The mean with the least and the greatest moved to the next number.
  const mean = (2 - 1 + 40 - 55 + values.reduce((sum, value) => sum + value, 0)) / values.length;
  t.true(Math.abs(drawnMean(buckets, 0) - mean) <= 0.5, `${drawnMean(buckets, 0)} for ${mean}`);
});

test('no single patient moves an end: an outlier gives the same ranges, however far out', (t) => {
  const values = normals(120, 1).map((z) => Math.round(100 + 10 * z));
  const highest = values.indexOf(Math.max(...values));
  const lowest = values.indexOf(Math.min(...values));
  const expected = ranges(fit(values));
  for (const far of [1e3, 1e5])
    t.deepEqual(ranges(fit(values.with(highest, far).with(lowest, -far))), expected);
  const ends = [expected[0]?.[0], expected.at(-1)?.[1]];
  t.true((ends[0] as number) > Math.min(...values) && (ends[1] as number) <= Math.max(...values));
});

test('every range holds enough patients, not only enough visits', (t) => {
  const values = Array.from({ length: 200 }, (_, i) => i);
  // The upper half of the visits is that of three patients.
  const patients = values.map((value) => (value < 100 ? value : 1000 + (value % 3)));
  const buckets = fit(values, { leastPatients: 11 }, patients);
  const held = Array.from({ length: buckets.count }, () => new Set<number>());
  for (const [i, value] of values.entries()) held[buckets.of(value)]?.add(patients[i] as number);
  t.true(buckets.count > 2);
  t.true(
    held.every((owners) => owners.size >= 11),
    held.map(({ size }) => size).join(),
  );
  t.is(fitBuckets({ values, patients: values.map(() => 1) }, rules), undefined);
  t.is(fitBuckets({ values: values.slice(0, 10), patients: values.slice(0, 10) }, rules), undefined);
  t.true(ranges(fit(values, { leastVisits: 90 })).length === 2);
});

for (const [name, shape] of Object.entries({
  normal: (z: number) => Math.round(1390 + 30 * z) / 10,
  skewed: (z: number) => Math.round(10 * Math.exp(z)) / 10,
  mirrored: (z: number) => Math.round(1000 - 10 * Math.exp(z)) / 10,
}))
  test(`uniform draws keep the mean of ${name} numbers`, (t) => {
    const values = normals(2000, 7).map(shape);
    const buckets = fit(values, { trim: 0.001 });
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    const drawn =
      values.reduce((sum, value) => sum + drawnMean(buckets, buckets.of(value)), 0) / values.length;
    t.true(Math.abs(drawn - mean) < 0.02 * sd, `${drawn} for ${mean} ± ${sd}`);
  });
