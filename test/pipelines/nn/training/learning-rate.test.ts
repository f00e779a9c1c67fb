import test from 'ava';
import { scheduledRate } from '../../../../pipelines/nn/training/learning-rate.ts';

const near = (actual: number[], expected: number[]) =>
  actual.length === expected.length &&
  actual.every((rate, i) => Math.abs(rate - (expected[i] as number)) < 1e-12);

test('the rate rises in equal steps to its peak, then falls to zero or stays', (t) => {
  const rates = (schedule: 'linear' | 'cosine' | 'constant', warmUp: number) =>
    Array.from({ length: 6 }, (_, step) => scheduledRate(schedule, 8, step, 6, warmUp));
  t.true(near(rates('linear', 2), [4, 8, 8, 6, 4, 2]));
  t.true(near(rates('constant', 4), [2, 4, 6, 8, 8, 8]));
  t.true(near(rates('cosine', 2), [4, 8, 8, 4 + Math.sqrt(8), 4, 4 - Math.sqrt(8)]));
  t.true(near(rates('linear', 0), [8, 8 - 8 / 6, 8 - 16 / 6, 4, 16 / 6, 8 / 6]));
});
