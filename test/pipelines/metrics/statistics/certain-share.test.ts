import test from 'ava';
import { certainShareInterval } from '../../../../pipelines/metrics/statistics/bootstrap.ts';

test('nobody of n: at the upper end, seeing nobody has chance 2.5 %', (t) => {
  for (const n of [1, 3, 18, 78, 46_520]) {
    const [low, high] = certainShareInterval(0, n) ?? [];
    t.is(low, 0);
    t.true(Math.abs((1 - (high as number)) ** n - 0.025) < 1e-9);
    const [mirrored, one] = certainShareInterval(1, n) ?? [];
    t.is(one, 1);
    t.true(Math.abs((mirrored as number) + (high as number) - 1) < 1e-12);
  }
});

test('other shares, and no patients, are not its business', (t) => {
  for (const share of [0.01, 0.5, Number.NaN]) t.is(certainShareInterval(share, 10), undefined);
  t.is(certainShareInterval(0, 0), undefined);
});
