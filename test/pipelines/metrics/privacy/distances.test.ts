import test from 'ava';
import { drain } from '../../../../pipelines/kernel/steps.ts';
import {
  type Distance,
  distances,
  keysFor,
  never,
} from '../../../../pipelines/metrics/statistics/distance-rows.ts';
import { nearest, nearestFew } from '../../../../pipelines/metrics/statistics/nearest.ts';
import { columnsOf, type Patient, recordsOf } from '../../../helpers/patients.ts';
import { firstHundred, haloGolden, pyhealthGolden, split } from './golden-cohorts.ts';

const names = ['train', 'test', 'syn'];
const parts = [firstHundred.train, firstHundred.test, firstHundred.synthetic];

/** The definition, pair by pair, on plain sets. */
function plainDistance(a: Patient, b: Patient, distance: Distance): number {
  let sum = a.visits.length === b.visits.length ? 0 : 1;
  if (distance !== 'codes') sum += a.labels.filter((label, i) => label !== b.labels[i]).length;
  const visits = distance === 'halo' ? a.visits.length : Math.max(a.visits.length, b.visits.length);
  for (let v = 0; v < visits; v++) {
    const [x, y] = [new Set(a.visits[v]), new Set(b.visits[v])];
    sum += [...x].filter((code) => !y.has(code)).length + [...y].filter((code) => !x.has(code)).length;
  }
  return sum;
}

const direction = (name: string) => name.split('_to_').map((part) => names.indexOf(part)) as [number, number];

test('nearest distances equal the HALO script, copies passed over', (t) => {
  const shared = keysFor(parts, 'halo');
  for (const [name, expected] of Object.entries(haloGolden.nnaa.distances)) {
    const [query, reference] = direction(name);
    const found = drain(nearest({ shared, query, reference, distance: 'halo' }, false));
    t.deepEqual([...found.distance], expected, name);
  }
});

test('nearest distances equal PyHealth, which skips the patient itself', (t) => {
  const shared = keysFor(parts, 'codes');
  for (const [name, expected] of Object.entries(pyhealthGolden.nearest_distances_first100)) {
    const [query, reference] = direction(name);
    const skipSelf = query === reference;
    const found = drain(nearest({ shared, query, reference, distance: 'codes', skipSelf }));
    t.deepEqual([...found.distance], expected, name);
  }
});

test('the HALO distance is asymmetric and ours is not', (t) => {
  const { a, b } = haloGolden.hamming_asymmetry;
  const columns = [columnsOf([a]), columnsOf([b])];
  const between = (query: number, reference: number, distance: Distance) =>
    drain(nearest({ shared: keysFor(columns, distance), query, reference, distance })).distance[0];
  t.is(between(0, 1, 'halo'), haloGolden.hamming_asymmetry['d(a,[b])']);
  t.is(between(1, 0, 'halo'), haloGolden.hamming_asymmetry['d(b,[a])']);
  t.is(between(0, 1, 'hamming'), 6);
  t.is(between(1, 0, 'hamming'), 6);
});

for (const distance of distances)
  test(`${distance}: the index gives what the pair-by-pair definition gives, whatever the block size`, (t) => {
    const queries = split.train.slice(100, 130);
    const references = [...split.synthetic.slice(250, 300), { visits: [[]], labels: [0, 0, 0, 0, 0] }];
    const shared = keysFor([columnsOf(queries), columnsOf(references)], distance);
    const plain = queries.map((q) => references.map((r) => plainDistance(q, r, distance)));
    for (const blockPatients of [1, 7, 2048]) {
      const task = { shared, query: 0, reference: 1, distance, blockPatients };
      const found = drain(nearest(task));
      const expected = plain.map((row) => Math.min(...row));
      t.deepEqual([...found.distance], expected);
      t.deepEqual(
        [...found.index],
        plain.map((row, q) => row.indexOf(expected[q] ?? -1)),
      );
      const few = plain.map((row) => [...row.keys()].sort((a, b) => (row[a] ?? 0) - (row[b] ?? 0) || a - b));
      const nearestFour = drain(nearestFew(task, 4));
      t.deepEqual(
        [...nearestFour.distance],
        few.flatMap((order, q) => order.slice(0, 4).map((r) => plain[q]?.[r] ?? -1)),
      );
      t.deepEqual(
        [...nearestFour.index],
        few.flatMap((order) => order.slice(0, 4)),
      );
    }
  });

test('shards of queries put together give the whole', (t) => {
  const shared = keysFor(parts, 'hamming');
  const task = { shared, query: 0, reference: 2, distance: 'hamming', blockPatients: 30 } as const;
  const whole = drain(nearest(task));
  const shards = [
    [0, 33],
    [33, 34],
    [34, 100],
  ].map(([from = 0, to = 0]) => drain(nearest({ ...task, from, to })));
  for (const what of ['distance', 'index'] as const)
    t.deepEqual(
      shards.flatMap((shard) => [...shard[what]]),
      [...whole[what]],
    );
});

test('nobody to meet, no code, and a record of a thousand visits', (t) => {
  const runaway = Array.from({ length: 1000 }, (_, v) => [v % 5]);
  const columns = [recordsOf([[], [[]], runaway]), recordsOf([[[1, 2]]]), recordsOf([])];
  const shared = keysFor(columns, 'hamming');
  const task = { shared, query: 0, distance: 'hamming' } as const;
  t.deepEqual([...drain(nearest({ ...task, reference: 1 })).distance], [3, 2, 1003]);
  t.deepEqual([...drain(nearest({ ...task, reference: 2 })).index], [-1, -1, -1]);
  const alone = drain(nearest({ ...task, query: 1, reference: 1, skipSelf: true }));
  t.deepEqual([...alone.distance], [never]);
});

test('safe points count up to the end', (t) => {
  const shared = keysFor(parts, 'hamming');
  const steps = [...nearest({ shared, query: 0, reference: 1, distance: 'hamming', blockPatients: 40 })];
  t.deepEqual(
    steps.map(({ step, of }) => [step, of]),
    [
      [1, 3],
      [2, 3],
      [3, 3],
    ],
  );
});
