import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import { type Batch, packSets, shareLines } from '../../../../../pipelines/generators/halo/network/batch.ts';
import { HaloNetwork } from '../../../../../pipelines/generators/halo/network/network.ts';
import { openOps } from '../../../../../pipelines/nn/ops/open-ops.ts';

const architecture = { layers: 2, heads: 2, embedding: 8, codes: 9, labels: 2, maxVisits: 30, positions: 34 };
const [start, end] = [11, 12];

/** Some 150 rows: records of 1, 2, 3, 1 … visits, one of 30 among them. */
const records = Array.from({ length: 60 }, (_, record): number[][] => {
  const visits = record === 20 ? 30 : 1 + (record % 3);
  const codes = (visit: number) => [(record + visit) % 4, 5 + ((record * visit) % 4)];
  const sets = Array.from({ length: visits }, (_, visit) =>
    visit === visits - 1 ? [...codes(visit), end] : codes(visit),
  );
  return [[start], record % 2 ? [9] : [9, 10], ...sets];
});

const build = async (): Promise<HaloNetwork> => {
  await startBackend();
  let next = 0;
  return HaloNetwork.build(await openOps(), architecture, 5, ({ shape }) => {
    const size = shape.reduce((product, width) => product * width, 1);
    return { value: Float32Array.from({ length: size }, () => 0.3 * Math.sin(next++)) };
  });
};

/** Summed loss and its gradients. */
const learned = async (network: HaloNetwork, batch: Batch) => {
  const scale = { normalization: 'cells', positiveWeight: 1, maxVisits: 30 } as const;
  const cells = batch.rows * 14;
  const gradients = new Map<string, Float32Array>();
  const loss = await network.learn(batch, scale, ({ name }, gradient) =>
    gradients.set(
      name,
      network.ops.download(gradient).map((slope) => slope * cells),
    ),
  );
  return { loss: loss * cells, gradients };
};

test('short records share lines, in order, and a long one has its own', (t) => {
  t.deepEqual(shareLines([]), []);
  t.deepEqual(shareLines([94, 1, 1, 200, 1]), [
    { from: 0, to: 2, rows: 96 },
    { from: 2, to: 3, rows: 2 },
    { from: 3, to: 4, rows: 201 },
    { from: 4, to: 5, rows: 2 },
  ]);
});

test('records learned on shared lines are learned as each alone', async (t) => {
  const network = await build();
  const together = await learned(network, packSets(records));
  t.true(shareLines(records.map((sets) => sets.length - 2)).length > 1);
  let loss = 0;
  const sums = new Map<string, Float32Array>();
  for (const record of records) {
    const alone = await learned(network, packSets([record]));
    loss += alone.loss;
    for (const [name, gradient] of alone.gradients) {
      const sum = sums.get(name) ?? new Float32Array(gradient.length);
      sums.set(
        name,
        sum.map((slope, i) => slope + (gradient[i] as number)),
      );
    }
  }
  t.true(Math.abs(together.loss / loss - 1) < 1e-5);
  for (const [name, gradient] of together.gradients) {
    const sum = sums.get(name) ?? new Float32Array();
    const largest = sum.reduce((most, slope) => Math.max(most, Math.abs(slope)), 0);
    const apart = gradient.reduce(
      (most, slope, i) => Math.max(most, Math.abs(slope - (sum[i] as number))),
      0,
    );
    t.true(apart <= 1e-5 * largest, `${name}: ${apart} apart, largest ${largest}`);
  }
  network.dispose();
});

test('a record does not reach others on its line', async (t) => {
  const network = await build();
  const before = await network.logits(packSets(records));
  const changed = records.with(4, [[start], [10], [0, 1, 2, 3], [4, 8, end]]);
  const after = await network.logits(packSets(changed));
  const rows = records.slice(0, 4).reduce((sum, sets) => sum + sets.length - 1, 0);
  const [from, to] = [rows * 14, (rows + 3) * 14];
  t.deepEqual(before.subarray(0, from), after.subarray(0, from));
  t.notDeepEqual(before.subarray(from, to), after.subarray(from, to));
  t.deepEqual(before.subarray(to), after.subarray(to));
  network.dispose();
});

test('a batch may have 200,000 records', (t) => {
  const batch = packSets(Array.from({ length: 200_000 }, () => [[start], [], [1, end]]));
  t.is(batch.length, 2);
  t.is(batch.rows, 400_000);
});
