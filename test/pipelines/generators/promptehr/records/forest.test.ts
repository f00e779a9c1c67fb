import test from 'ava';
import {
  type CodedFact,
  dependenceForest,
  pooledShares,
} from '../../../../../pipelines/generators/promptehr/records/dependence-forest.ts';
import { RandomSource } from '../../../../../pipelines/kernel/random.ts';

const near = (a: number[], b: number[]) =>
  a.length === b.length && a.every((x, i) => Math.abs(x - (b[i] as number)) < 1e-12);

/** Patients by their two levels, so many of each pair. */
const paired = (pairs: [number, number, number][]): [CodedFact, CodedFact] => {
  const of = (which: 0 | 1) =>
    Int32Array.from(pairs.flatMap((pair) => new Array<number>(pair[2]).fill(pair[which])));
  const fact = (which: 0 | 1) => ({ levels: 1 + Math.max(...of(which)), of: of(which) });
  return [fact(0), fact(1)];
};

test('a table of large cells is their shares', (t) => {
  const table = pooledShares(
    ...paired([
      [0, 0, 30],
      [0, 1, 10],
      [1, 0, 20],
      [1, 1, 60],
    ]),
  );
  t.true(near(table, [0.75, 0.25, 0.25, 0.75]));
});

test('few patients cannot be told from one, nor their level from the others pooled with it', (t) => {
  const table = (few: number, other: number) =>
    pooledShares(
      ...paired([
        [0, 0, 86 - few - other],
        [0, 1, few],
        [0, 2, other],
        [1, 1, 56 - few],
        [1, 2, 56 - other],
      ]),
    );
  const row = [81 / 86, 2.5 / 86, 2.5 / 86];
  // Of 86, more than 10 were expected at levels 1 and 2: one to nine count as 5, spread as both are over all.
  t.true(near(table(3, 3).slice(0, 3), row));
  t.true(near(table(1, 5).slice(0, 3), row));
  t.true(near(table(1, 0).slice(0, 3), row));
  t.true(
    near(table(0, 0).slice(0, 3), [1, 0, 0]),
    'none where many were expected is a fact about no patient',
  );
});

test('where few were expected, few or none says nothing', (t) => {
  const [some, none] = [3, 0].map((few) =>
    pooledShares(
      ...paired([
        [0, 0, 40 - few],
        [0, 1, few],
        [1, 0, 40 + few],
        [1, 1, 5 - few],
      ]),
    ),
  );
  t.true(near(some ?? [], none ?? []));
  t.true(near(none ?? [], [80 / 85, 5 / 85, 80 / 85, 5 / 85]));
});

test('the forest has an edge only where it says more than it costs', (t) => {
  const random = new RandomSource(9, 'order');
  const uniforms = new Float64Array(1200);
  random.fill(uniforms, 0, 1200, 0);
  const coin = (offset: number) => ({
    levels: 2,
    of: Int32Array.from({ length: 400 }, (_, i) => ((uniforms[3 * i + offset] as number) < 0.5 ? 1 : 0)),
  });
  const [a, b, c] = [coin(0), coin(1), coin(2)];
  t.deepEqual(
    dependenceForest([a, b, c]).map(({ parent }) => parent),
    [-1, -1, -1],
  );
  const noisy = { levels: 2, of: a.of.map((level, i) => (i % 8 === 0 ? 1 - level : level)) };
  const copy = { levels: 2, of: noisy.of.map((level, i) => (i % 9 === 0 ? 1 - level : level)) };
  t.deepEqual(
    dependenceForest([a, copy, noisy]).map(({ fact, parent }) => [fact, parent]),
    [
      [0, -1],
      [2, 0],
      [1, 1],
    ],
  );
});
