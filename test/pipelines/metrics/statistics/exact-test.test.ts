import test from 'ava';
import { fisherExcess } from '../../../../pipelines/metrics/statistics/exact-test.ts';

test("Fisher's test: his lady tasting tea, and the ends", (t) => {
  // All four cups with milk first found among eight: 1 in 70. Three or more: 17 in 70.
  t.true(Math.abs(fisherExcess(4, 4, 0, 4) - 1 / 70) < 1e-12);
  t.true(Math.abs(fisherExcess(3, 4, 1, 4) - 17 / 70) < 1e-12);
  t.is(fisherExcess(0, 10, 0, 10), 1);
  t.true(Math.abs(fisherExcess(0, 10, 5, 10) - 1) < 1e-12);
  t.true(fisherExcess(20, 400, 0, 400) < 1e-6);
  t.true(fisherExcess(40_000, 50_000, 10, 50_000) < 1e-12);
});
