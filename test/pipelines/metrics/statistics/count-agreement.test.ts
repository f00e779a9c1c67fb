import test from 'ava';
import {
  CountTally,
  countPairs,
  joined,
  pairsPearson,
  pairsR2,
  pairsSpearman,
} from '../../../../pipelines/metrics/statistics/count-agreement.ts';
import { pearson, r2, spearman } from './plain-agreement.ts';

const x = Uint32Array.from({ length: 500 }, (_, i) => (i * i * 7919) % (i % 9 === 0 ? 900 : 12));
const y = Uint32Array.from({ length: 500 }, (_, i) => (x[i] ?? 0) + ((i * 31) % 7));
const near = (a: number | null, b: number | null) => Math.abs((a ?? Number.NaN) - (b ?? Number.NaN)) < 1e-13;

test('tallied counts agree with the statistics of the single keys, small counts and great', (t) => {
  const shares = (counts: Uint32Array, of: number) => Float64Array.from(counts, (count) => count / of);
  const pairs = countPairs(x, y);
  t.true(near(pairsR2(pairs, 1000, 800), r2(shares(x, 1000), shares(y, 800))));
  t.true(near(pairsPearson(pairs), pearson(shares(x, 1), shares(y, 1))));
  t.true(near(pairsSpearman(pairs), spearman(x, y)));
});

test('null where a side is constant, or nothing is divided by', (t) => {
  const same = countPairs(new Uint32Array(500).fill(3), y);
  t.deepEqual([pairsR2(same, 1, 1), pairsPearson(same), pairsSpearman(same)], [null, null, null]);
  t.is(pairsR2(countPairs(x, y), 0, 1), null);
  t.is(pairsR2(countPairs(x, y, new Int32Array(0)), 1, 1), null);
});

test('some keys, or several sets of keys joined, are as if tallied at once', (t) => {
  const even = countPairs(
    x,
    y,
    Int32Array.from({ length: 250 }, (_, i) => 2 * i),
  );
  const odd = countPairs(
    x,
    y,
    Int32Array.from({ length: 250 }, (_, i) => 2 * i + 1),
  );
  const [parts, all] = [joined([even, odd]), countPairs(x, y)];
  t.is(parts.keys, 500);
  t.is(pairsR2(parts, 1000, 800), pairsR2(all, 1000, 800));
  t.is(pairsPearson(parts), pairsPearson(all));
  t.is(pairsSpearman(parts), pairsSpearman(all));
});

test('nothing is lost where counts are great and nearly equal', (t) => {
  const one = Uint32Array.of(30_000_001, 30_000_002, 30_000_003);
  const other = Uint32Array.of(30_000_001, 30_000_002, 30_000_006);
  t.is(pairsR2(countPairs(one, other), 7, 7), 1 - 9 / 2);
  t.true(near(pairsPearson(countPairs(one, other)), 5 / Math.sqrt(28)));
});

test('a tally begins anew when it is taken, and takes many keys of the same counts at once', (t) => {
  const tally = new CountTally();
  tally.add(1, 2, 3);
  tally.add(100, 2, 4);
  const { keys, x: xs, times } = tally.take();
  t.is(keys, 7);
  t.deepEqual([...xs, ...times], [1, 100, 3, 4]);
  t.is(tally.take().keys, 0);
});
