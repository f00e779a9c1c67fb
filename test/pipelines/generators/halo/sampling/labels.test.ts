import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import { drawnLabel } from '../../../../../pipelines/generation/generator.ts';
import { labelTokens, layoutOf } from '../../../../../pipelines/generation/record-sets.ts';
import type { Architecture } from '../../../../../pipelines/generators/halo/network/architecture.ts';
import { packSets } from '../../../../../pipelines/generators/halo/network/batch.ts';
import { labelNetworkOf } from '../../../../../pipelines/generators/halo/network/label-network.ts';
import { HaloNetwork } from '../../../../../pipelines/generators/halo/network/network.ts';
import {
  type LabelSampler,
  labelSampler,
} from '../../../../../pipelines/generators/halo/sampling/sample-labels.ts';
import { haloSampler, samplingColumns } from '../../../../../pipelines/generators/halo/sampling/sampler.ts';
import { initialValues } from '../../../../../pipelines/generators/halo/training/initial-weights.ts';
import { RandomSource } from '../../../../../pipelines/kernel/random.ts';
import { openOps } from '../../../../../pipelines/nn/ops/open-ops.ts';
import { VisitColumnsBuilder } from '../../../../../pipelines/patients/visit-columns.ts';
import { goldenTensors, tiny } from '../network/golden.ts';

test.before(async () => {
  await startBackend();
});

const architectureOf = (labels: number, facts?: number[]): Architecture => ({
  layers: 1,
  heads: 2,
  embedding: 8,
  codes: 20,
  labels,
  facts,
  maxVisits: 2,
  positions: 4,
});

/** Labels that depend on each other, the more the stronger; `blockSize` 23 puts a border between blocks amid the labels. */
const entangled = async (
  labels: number,
  strength: number,
  bias: number,
  blockSize = 1024,
  facts?: number[],
): Promise<HaloNetwork> => {
  const architecture = architectureOf(labels, facts);
  const nobody = new VisitColumnsBuilder().build();
  const draw = initialValues(architecture, new RandomSource(1, 'weights'), nobody, 'random');
  return HaloNetwork.build(await openOps(), architecture, blockSize, (part) => {
    const value = draw(part);
    // Only what labels say to each other is made strong.
    const { row, shape } = part;
    if (part.reference.endsWith('.weight') && part.reference.startsWith('ehr_head'))
      for (const [i, w] of value.entries())
        if (row + Math.floor(i / (shape[1] as number)) >= architecture.embedding) value[i] = w * strength;
    return { value: part.name === 'ehr_head.auto2.bias' ? value.fill(bias) : value };
  });
};

/** The labels that a number's bits make, the first label its lowest. */
const labelsOf = (bits: number, count: number): number[] =>
  Array.from({ length: count }, (_, label) => (bits >> label) & 1);

const bitsOf = (labels: ArrayLike<number>): number =>
  Array.from(labels).reduce((bits, present, label) => bits + present * 2 ** label, 0);

/** Probability of every label vector under the teacher-forced model, by the number its bits make. */
const labelProbabilities = async (network: HaloNetwork): Promise<Float64Array> => {
  const layout = layoutOf(network.architecture);
  const vectors = Array.from({ length: 2 ** layout.labels }, (_, bits) => labelsOf(bits, layout.labels));
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

/** Total variation of two distributions. */
const between = (a: Float64Array, b: Float64Array): number =>
  a.reduce((sum, share, i) => sum + Math.abs(share - (b[i] as number)), 0) / 2;

/** What is expected of `between` a distribution and the shares of so many draws from it. */
const noise = (shares: Float64Array, draws: number): number =>
  shares.reduce((sum, p) => sum + Math.sqrt((2 * p * (1 - p)) / (Math.PI * draws)), 0) / 2;

/** Probability of the asked labels, and of each label vector given them. */
const conditioned = (joint: Float64Array, given: Uint8Array) => {
  const shares = joint.map((p, bits) =>
    labelsOf(bits, given.length).every((present, i) => given[i] === drawnLabel || given[i] === present)
      ? p
      : 0,
  );
  const probability = shares.reduce((a, b) => a + b);
  return { probability, shares: shares.map((share) => share / probability) };
};

const sharesOf = (draw: LabelSampler, labels: number, people: number): Float64Array => {
  const random = new RandomSource(3, 'patients');
  const shares = new Float64Array(2 ** labels);
  for (let patient = 0; patient < people; patient++) {
    const bits = bitsOf(draw(random, patient));
    shares[bits] = (shares[bits] as number) + 1 / people;
  }
  return shares;
};

const asking = (free: number, ...asked: number[]): Uint8Array =>
  Uint8Array.from([...new Array<number>(free).fill(drawnLabel), ...asked]);

for (const blockSize of [1024, 23])
  test.serial(
    `the other labels follow their distribution given the asked ones, blocks of ${blockSize}`,
    async (t) => {
      const network = await entangled(6, 100, 0, blockSize);
      const joint = await labelProbabilities(network);
      // Those requested leave labels before, between and after.
      const given = Uint8Array.from([drawnLabel, drawnLabel, 1, drawnLabel, 0, drawnLabel]);
      const { shares } = conditioned(joint, given);
      const draw = await labelSampler(await labelNetworkOf(network), given, network.pace);
      const people = 60_000;
      const distance = between(shares, sharesOf(draw, 6, people));
      t.true(distance < 3 * noise(shares, people) && distance < 0.01, `total variation ${distance}`);
      network.dispose();
    },
  );

test.serial(
  'labels of one fact are decided together: at most one of them, given what is asked',
  async (t) => {
    // Labels 0 and 1 are one fact, 2 to 4 another.
    const network = await entangled(9, 100, -0.5, 1024, [2, 3]);
    const joint = await labelProbabilities(network);
    t.true(Math.abs(joint.reduce((a, b) => a + b) - 1) < 1e-6, 'the probabilities add up to one');
    const labelNetwork = await labelNetworkOf(network);
    const any = drawnLabel;
    for (const given of [
      [any, any, 0, 1, 0, any, any, any, any],
      [1, 0, 0, 0, 1, any, any, any, any],
      [any, any, any, any, any, any, any, 1, any],
      [0, 1, any, any, any, any, 1, any, any],
    ].map((row) => Uint8Array.from(row))) {
      const { shares } = conditioned(joint, given);
      for (const [people, walked] of [
        [30_000, 24],
        [1500, 0],
      ] as const) {
        const draw = await labelSampler(labelNetwork, given, network.pace, walked);
        const distance = between(shares, sharesOf(draw, 9, people));
        t.true(distance < 3 * noise(shares, people), `${given}, ${walked}: ${distance}`);
      }
    }
    network.dispose();
  },
);

test.serial('also where the asked labels are rarer than one in a million', async (t) => {
  const network = await entangled(12, 70, -1);
  const joint = await labelProbabilities(network);
  const labelNetwork = await labelNetworkOf(network);
  const people = { walked: 8000, swept: 500 };
  for (const [asked, least, most] of [
    [[1, 1, 0], 1e-2, 1e-1],
    [[0, 1, 1], 1e-4, 1e-3],
    [[0, 1, 0], 1e-5, 1e-4],
    [[0, 0, 1], 1e-7, 1e-6],
  ] as const) {
    const given = asking(9, ...asked);
    const { probability, shares } = conditioned(joint, given);
    t.true(probability > least && probability < most, `${asked} has ${probability}`);
    const walked = between(
      shares,
      sharesOf(await labelSampler(labelNetwork, given, network.pace), 12, people.walked),
    );
    t.true(walked < 3 * noise(shares, people.walked) && walked < 0.015, `${asked}: ${walked}`);
    const swept = between(
      shares,
      sharesOf(await labelSampler(labelNetwork, given, network.pace, 0), 12, people.swept),
    );
    t.true(swept < 3 * noise(shares, people.swept) && swept < 0.06, `${asked}, swept: ${swept}`);
  }
  // Without regard to what is requested of later ones, the first nine would follow their own marginal.
  const { shares } = conditioned(joint, asking(9, 0, 0, 1));
  const naive = new Float64Array(joint.length);
  for (const [bits, p] of joint.entries()) {
    const there = (bits & 511) + 2048;
    naive[there] = (naive[there] as number) + p;
  }
  t.true(between(shares, naive) > 0.3, `${between(shares, naive)}: the test says nothing`);
  network.dispose();
});

test.serial('where nothing is requested, labels follow the model', async (t) => {
  const network = await entangled(6, 100, 0);
  const joint = await labelProbabilities(network);
  const draw = await labelSampler(await labelNetworkOf(network), asking(6), network.pace);
  const distance = between(joint, sharesOf(draw, 6, 8000));
  t.true(distance < 3 * noise(joint, 8000), `total variation ${distance}`);
  network.dispose();
});

test.serial('a request may ask for some labels of some patients', async (t) => {
  const sampler = haloSampler(
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
