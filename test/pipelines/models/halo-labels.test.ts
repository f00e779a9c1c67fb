import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import { VisitColumnsBuilder } from '../../../pipelines/cohort/visit-columns.ts';
import { drawnLabel } from '../../../pipelines/generator.ts';
import { type Architecture, labelTokens, layoutOf } from '../../../pipelines/models/halo/architecture.ts';
import { packSets } from '../../../pipelines/models/halo/batch.ts';
import { drawLabels, labelNetworkOf } from '../../../pipelines/models/halo/draw-labels.ts';
import { initialValues } from '../../../pipelines/models/halo/initial.ts';
import { HaloNetwork } from '../../../pipelines/models/halo/network.ts';
import { HaloSampler, samplingColumns } from '../../../pipelines/models/halo/sampler.ts';
import { openOps } from '../../../pipelines/nn/open-ops.ts';
import { RandomSource } from '../../../pipelines/random.ts';
import { goldenTensors, tiny } from './halo-golden.ts';

test.before(async () => {
  await startBackend();
});

const architecture: Architecture = {
  layers: 1,
  heads: 2,
  embedding: 8,
  codes: 20,
  labels: 6,
  maxVisits: 2,
  positions: 4,
};

/** Labels that depend on each other strongly; `blockSize` 23 puts a border between blocks amid the labels. */
const entangled = async (blockSize: number): Promise<HaloNetwork> => {
  const draw = initialValues(
    architecture,
    new RandomSource(1, 'weights'),
    new VisitColumnsBuilder().build(),
    'random',
  );
  return HaloNetwork.build(await openOps(), architecture, blockSize, (part) => {
    const value = draw(part);
    // Only what labels say to each other is made strong.
    const { row, shape } = part;
    if (part.reference.endsWith('.weight') && part.reference.startsWith('ehr_head'))
      for (const [i, w] of value.entries())
        if (row + Math.floor(i / (shape[1] as number)) >= architecture.embedding) value[i] = w * 100;
    return { value };
  });
};

/** Probability of every label vector under the teacher-forced model, by the number its bits make. */
const labelProbabilities = async (network: HaloNetwork): Promise<Float64Array> => {
  const layout = layoutOf(network.architecture);
  const vectors = Array.from({ length: 2 ** layout.labels }, (_, bits) =>
    Array.from({ length: layout.labels }, (_, label) => (bits >> label) & 1),
  );
  const logits = await network.logits(
    packSets(vectors.map((vector) => [[layout.start], labelTokens(layout, vector)])),
  );
  return Float64Array.from(vectors, (vector, row) =>
    vector.reduce((product, present, label) => {
      const p = 1 / (1 + Math.exp(-(logits[row * layout.width + layout.codes + label] as number)));
      return product * (present ? p : 1 - p);
    }, 1),
  );
};

const bitsOf = (labels: ArrayLike<number>): number =>
  Array.from(labels).reduce((bits, present, label) => bits + present * 2 ** label, 0);

for (const blockSize of [1024, 23])
  test.serial(
    `the other labels follow their distribution given the asked ones, blocks of ${blockSize}`,
    async (t) => {
      const network = await entangled(blockSize);
      const joint = await labelProbabilities(network);
      const labelNetwork = await labelNetworkOf(network);
      // The last two are asked for: what comes before must know.
      const given = Uint8Array.from([drawnLabel, drawnLabel, drawnLabel, drawnLabel, 1, 0]);
      const conditional = joint.map((p, bits) => (bits >> 4 === 1 ? p : 0));
      const total = conditional.reduce((a, b) => a + b);
      const people = 4000;
      const random = new RandomSource(3, 'patients');
      const counts = new Float64Array(joint.length);
      for (let patient = 0; patient < people; patient++) {
        const bits = bitsOf(drawLabels(labelNetwork, given, random, patient));
        counts[bits] = (counts[bits] as number) + 1;
      }
      let distance = 0;
      let naive = 0;
      // Without the asked labels' weight, the first four would follow their own marginal.
      const marginal = Float64Array.from({ length: 16 }, (_, low) =>
        [0, 1, 2, 3].reduce((sum, high) => sum + (joint[low + 16 * high] as number), 0),
      );
      for (let bits = 0; bits < joint.length; bits++) {
        const wanted = (conditional[bits] as number) / total;
        distance += Math.abs(wanted - (counts[bits] as number) / people) / 2;
        if (bits >> 4 === 1) naive += Math.abs(wanted - (marginal[bits & 15] as number)) / 2;
      }
      t.true(distance < 0.03, `total variation ${distance}`);
      t.true(naive > 0.1, `labels in order would be off by ${naive} only: the test says nothing`);
      network.dispose();
    },
  );

test.serial('a request may ask for some labels of some patients', async (t) => {
  const sampler = new HaloSampler(
    await HaloNetwork.fromReference(
      await openOps(),
      tiny,
      samplingColumns,
      await goldenTensors('halo_tiny_weights'),
    ),
  );
  const labels = new Uint8Array(30 * 5).fill(drawnLabel);
  for (let patient = 0; patient < 30; patient++) labels[patient * 5 + 2] = patient % 2;
  const all = await sampler.sample({ first: 0, count: 30, seed: 1, labels });
  for (let patient = 0; patient < 30; patient++) t.is(all.labels[patient * 5 + 2], patient % 2);
  t.true(all.labels.every((label) => label <= 1));
  const some = await sampler.sample({ first: 10, count: 20, seed: 1, labels: labels.subarray(50) });
  t.deepEqual(some.labels, all.labels.slice(50), 'and does not depend on which request asks');
  sampler.dispose();
});
