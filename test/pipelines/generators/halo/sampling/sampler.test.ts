import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import { patientBlock } from '../../../../../pipelines/generation/record-sampler.ts';
import { layoutOf, type RecordSets } from '../../../../../pipelines/generation/record-sets.ts';
import type { Architecture } from '../../../../../pipelines/generators/halo/network/architecture.ts';
import { packSets } from '../../../../../pipelines/generators/halo/network/batch.ts';
import { HaloNetwork } from '../../../../../pipelines/generators/halo/network/network.ts';
import { haloSampler, samplingColumns } from '../../../../../pipelines/generators/halo/sampling/sampler.ts';
import { initialValues } from '../../../../../pipelines/generators/halo/training/initial-weights.ts';
import { RandomSource } from '../../../../../pipelines/kernel/random.ts';
import { deviceArrays, openOps } from '../../../../../pipelines/nn/ops/open-ops.ts';
import { patientCount, VisitColumnsBuilder } from '../../../../../pipelines/patients/visit-columns.ts';
import { goldenTensors, tiny } from '../network/golden.ts';

test.before(async () => {
  await startBackend();
});

/** Wide enough for three blocks of columns, with biases that let about one code in forty through. */
const wide: Architecture = {
  layers: 2,
  heads: 2,
  embedding: 16,
  codes: 600,
  labels: 6,
  maxVisits: 4,
  positions: 6,
};

const wideNetwork = async (blockSize: number): Promise<HaloNetwork> => {
  const draw = initialValues(
    wide,
    new RandomSource(11, 'weights'),
    new VisitColumnsBuilder().build(),
    'random',
  );
  const sparse = new Float32Array(layoutOf(wide).width).fill(-3.7);
  sparse[layoutOf(wide).end] = -0.5;
  return HaloNetwork.build(await openOps(), wide, blockSize, (part) => {
    const value = draw(part);
    // Larger weights in the head make later columns truly depend on earlier ones.
    if (part.reference.startsWith('ehr_head')) for (const [i, w] of value.entries()) value[i] = w * 3;
    return { value: part.name === 'ehr_head.auto2.bias' ? sparse : value };
  });
};

const tinySampler = async (): Promise<ReturnType<typeof haloSampler>> =>
  haloSampler(
    await HaloNetwork.fromReference(
      await openOps(),
      tiny,
      samplingColumns,
      await goldenTensors('halo_tiny_weights'),
    ),
  );

test.serial(
  'every draw is u < p under the teacher-forced model, in one block of columns or three',
  async (t) => {
    const network = await wideNetwork(samplingColumns);
    const sampler = haloSampler(network);
    const { codes, start, end, width } = layoutOf(wide);
    const records = await sampler.sampleBlock(1, 5);
    const other = await wideNetwork(1024);
    const batch = packSets(records.map((sets) => [...sets]));
    const logits = await other.logits(batch);
    const random = new RandomSource(5, 'patients');
    const uniforms = new Float64Array(width);
    let draws = 0;
    let present = 0;
    for (const [i, sets] of records.entries())
      for (let position = 1; position < sets.length; position++) {
        random.fill(uniforms, 0, width, patientBlock + i, position);
        const set = new Set(Array.from(sets[position] ?? []));
        const row = (batch.offsets[i] as number) + position - 1;
        for (let column = 0; column < width; column++) {
          const possible =
            position === 1 ? column >= codes && column < start : column < codes || column === end;
          const p = 1 / (1 + Math.exp(-(logits[row * width + column] as number)));
          if ((possible && (uniforms[column] as number) < p) !== set.has(column))
            t.fail(`${i} ${position} ${column}`);
          draws += possible ? 1 : 0;
          present += set.has(column) ? 1 : 0;
        }
      }
    t.true(draws > 200_000 && present > 5000, `${draws} draws, ${present} present`);
    network.dispose();
    other.dispose();
  },
);

test.serial('a patient depends neither on how many are requested nor on the request', async (t) => {
  const sampler = await tinySampler();
  const all = await sampler.sample({ first: 0, count: 300, seed: 3 });
  const [few, middle] = await Promise.all([
    sampler.sample({ first: 0, count: 5, seed: 3 }),
    sampler.sample({ first: 250, count: 20, seed: 3 }),
  ]);
  t.is(patientCount(all), 300);
  t.deepEqual(few.codes, all.codes.slice(0, few.codes.length));
  t.deepEqual(few.visitOffsets, all.visitOffsets.slice(0, 6));
  const firstVisit = all.visitOffsets[250] as number;
  const firstCode = all.codeOffsets[firstVisit] as number;
  t.deepEqual(middle.codes, all.codes.slice(firstCode, firstCode + middle.codes.length));
  t.deepEqual(middle.labels, all.labels.slice(250 * 5, 270 * 5));
  t.notDeepEqual((await sampler.sample({ first: 0, count: 5, seed: 4 })).codes, few.codes);
  sampler.dispose();
});

test.serial('frequencies are those of plain ancestral sampling, one column after the other', async (t) => {
  const sampler = await tinySampler();
  const network = await HaloNetwork.fromReference(
    await openOps(),
    tiny,
    64,
    await goldenTensors('halo_tiny_weights'),
  );
  const { codes, labels, start, end, width } = layoutOf(tiny);
  const people = 512;
  const plain: number[][][] = Array.from({ length: people }, () => [[start]]);
  let state = 12345;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  // Labels and the first visit, with the whole model run again for every column.
  for (const [position, columns] of [
    [1, Array.from({ length: labels }, (_, i) => codes + i)],
    [2, [...Array(codes).keys(), end]],
  ] as const) {
    for (const sets of plain) sets.push([]);
    for (const column of columns) {
      const logits = await network.logits(packSets(plain));
      plain.forEach((sets, i) => {
        const logit = logits[(i * position + position - 1) * width + column] as number;
        if (uniform() < 1 / (1 + Math.exp(-logit))) sets[position]?.push(column);
      });
    }
  }
  const blocked = [...(await sampler.sampleBlock(0, 9)), ...(await sampler.sampleBlock(1, 9))];
  const count = (records: readonly RecordSets[], test: (sets: Set<number>[]) => boolean) =>
    records.filter((sets) => test(sets.map((set) => new Set(Array.from(set))))).length / people;
  // Five standard deviations of a difference of two shares of 512.
  const allowed = (share: number) => 5 * Math.sqrt((2 * Math.max(share * (1 - share), 0.01)) / people);
  for (let column = 0; column < width; column++)
    for (const other of [column, (column + 1) % codes]) {
      const test = (sets: Set<number>[]) =>
        Boolean((sets[1]?.has(column) || sets[2]?.has(column)) && (other === column || sets[2]?.has(other)));
      const [a, b] = [count(plain, test), count(blocked, test)];
      t.true(Math.abs(a - b) <= allowed((a + b) / 2), `columns ${column}, ${other}: ${a} and ${b}`);
    }
  network.dispose();
  sampler.dispose();
});

test.serial('requested labels are the labels given, and nothing leaks', async (t) => {
  const before = deviceArrays();
  const sampler = await tinySampler();
  const labels = Uint8Array.from({ length: 40 * 5 }, (_, i) => (i % 3 === 0 ? 1 : 0));
  const columns = await sampler.sample({ first: 7, count: 40, seed: 1, labels });
  t.deepEqual(columns.labels, labels);
  t.is(patientCount(columns), 40);
  sampler.dispose();
  t.is(deviceArrays(), before);
});

test.serial('of a group of codes a visit has at most one, and the first drawn stays', async (t) => {
  const network = await wideNetwork(samplingColumns);
  const groups = new Int32Array(wide.codes).fill(-1);
  // Groups reach over the border between two blocks of columns.
  for (let code = 200; code < 320; code++) groups[code] = code % 5;
  const free = haloSampler(network);
  const bound = haloSampler(network, groups);
  const [any, one] = [await free.sampleBlock(0, 5), await bound.sampleBlock(0, 5)];
  let spared = 0;
  for (const [i, sets] of one.entries())
    for (const [position, set] of sets.entries()) {
      const seen = Array.from(set).flatMap((token) => ((groups[token] ?? -1) >= 0 ? [groups[token]] : []));
      t.is(new Set(seen).size, seen.length);
      if (position !== 2) continue;
      const before = (codes: ArrayLike<number>) => Array.from(codes).filter((code) => code < 200);
      t.deepEqual(before(set), before(any[i]?.[2] ?? []), 'what comes before the groups is as it was');
      spared += (any[i]?.[2]?.length ?? 0) - set.length;
    }
  t.true(spared > 0, 'without groups, some visit would have had two');
  network.dispose();
});
