import test from 'ava';
import { pearson, r2, spearman } from '../../../pipelines/statistics/agreement.ts';
import {
  countPairs,
  pairsPearson,
  pairsR2,
  pairsSpearman,
} from '../../../pipelines/statistics/count-agreement.ts';

const x = Uint32Array.from({ length: 500 }, (_, i) => (i * i * 7919) % (i % 9 === 0 ? 900 : 12));
const y = Uint32Array.from({ length: 500 }, (_, i) => (x[i] ?? 0) + ((i * 31) % 7));
const members = Int32Array.from({ length: 500 }, (_, i) => i);
const near = (a: number | null, b: number | null) => Math.abs((a ?? Number.NaN) - (b ?? Number.NaN)) < 1e-9;

test('tallied counts agree with the statistics of the single keys, small counts and great', (t) => {
  const shares = (counts: Uint32Array, of: number) => Float64Array.from(counts, (count) => count / of);
  const pairs = countPairs(x, y, members);
  t.true(near(pairsR2(pairs, 1000, 800), r2(shares(x, 1000), shares(y, 800))));
  t.true(near(pairsPearson(pairs), pearson(shares(x, 1), shares(y, 1))));
  t.true(near(pairsSpearman(pairs), spearman(x, y)));
});

test('null where a side is constant, or nothing is divided by', (t) => {
  const same = countPairs(new Uint32Array(500).fill(3), y, members);
  t.deepEqual([pairsR2(same, 1, 1), pairsPearson(same), pairsSpearman(same)], [null, null, null]);
  t.is(pairsR2(countPairs(x, y, members), 0, 1), null);
  t.is(pairsR2(countPairs(x, y, new Int32Array(0)), 1, 1), null);
});
