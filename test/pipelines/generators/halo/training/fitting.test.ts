import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import type { TrainingData } from '../../../../../pipelines/generation/generator.ts';
import { layoutOf, recordSets } from '../../../../../pipelines/generation/record-sets.ts';
import { packPatients } from '../../../../../pipelines/generators/halo/network/batch.ts';
import { HaloNetwork } from '../../../../../pipelines/generators/halo/network/network.ts';
import {
  allWeights,
  toReference,
  type Weight,
} from '../../../../../pipelines/generators/halo/network/weight-layout.ts';
import { resolveHalo } from '../../../../../pipelines/generators/halo/training/config.ts';
import { fitHalo } from '../../../../../pipelines/generators/halo/training/fitting.ts';
import { initialValues } from '../../../../../pipelines/generators/halo/training/initial-weights.ts';
import halo from '../../../../../pipelines/generators/halo.ts';
import { Pace } from '../../../../../pipelines/kernel/pace.ts';
import { RandomSource } from '../../../../../pipelines/kernel/random.ts';
import type { Update } from '../../../../../pipelines/nn/layers/layers.ts';
import { openOps } from '../../../../../pipelines/nn/ops/open-ops.ts';
import type { VisitColumns } from '../../../../../pipelines/patients/visit-columns.ts';
import { recordsOf } from '../../../../helpers/patients.ts';
import { planted } from '../../planted-cohort.ts';

test.before(async () => {
  await startBackend();
});

const columnsOf = (records: number[][][]): VisitColumns => recordsOf(records, [1, 0]);
const dataOf = (train: VisitColumns, validation = columnsOf([])): TrainingData => ({
  ...planted(),
  train,
  validation,
});
const small = halo.config.parse({ layers: 1, heads: 2, embedding: 8, batch: 4, epochs: 3 });

test('a record is start, labels and visits; its last visit holds the end token', (t) => {
  const columns = columnsOf([[[1, 5], [2], [3]]]);
  const layout = layoutOf({ codes: 12, labels: 2 });
  t.deepEqual(
    recordSets(layout, columns, 0, 3).map((set) => [...Array.from(set)]),
    [[14], [12], [1, 5], [2], [3, 15]],
  );
  // A record that is cut goes on in truth: it has no end.
  t.deepEqual(
    recordSets(layout, columns, 0, 2).map((set) => [...Array.from(set)]),
    [[14], [12], [1, 5], [2]],
  );
});

test.serial(
  'longer records are cut and counted, patients without a visit left out and counted',
  async (t) => {
    const train = columnsOf([[[1], [2], [3], [4], [5]], [], [[6]], [[1], [2]], [[0]], [[3]]]);
    const fitting = await fitHalo(dataOf(train), { ...small, maxVisits: 2 }, 1);
    t.like(fitting.facts, { visitsCut: 3, patientsWithoutVisits: 1 });
    t.is(fitting.steps, 6, 'five patients by four make two steps, the last of a single patient');
    while (!fitting.finished) t.true(Number.isFinite((await fitting.step()).loss));
    fitting.dispose();
  },
);

test.serial('without patients to learn from it says so', async (t) => {
  await t.throwsAsync(() => fitHalo(dataOf(columnsOf([[], []])), small, 1), {
    name: 'TooFewPatients',
  });
});

test('settings come from the cohort’s size, the paper or the person, and must agree', (t) => {
  const { train } = planted();
  t.like(resolveHalo(halo.config.parse({}), train), { layers: 2, maxVisits: 3, start: 'prevalence' });
  t.like(resolveHalo(halo.config.parse({ preset: 'paper', layers: 3 }), train), {
    ...{ layers: 3, heads: 12, embedding: 768, maxVisits: 46, batch: 48, learningRate: 1e-4, epochs: 50 },
    ...{ start: 'random', schedule: 'constant', weightDecay: 0, lossNormalization: 'cells' },
  });
  t.throws(() => resolveHalo(halo.config.parse({ heads: 3, embedding: 8 }), train), {
    name: 'InvalidConfig',
    message: /heads \(3\) must divide embedding \(8\)/,
  });
});

test.serial('validation stops training and keeps the best weights, given enough patients', async (t) => {
  const { train, validation } = planted();
  const config = { ...small, epochs: 60, patience: 2, learningRate: 0.05, batch: 64, calibration: 0 };
  const fitting = await fitHalo(dataOf(train, validation), config, 1);
  const losses: number[] = [];
  const models: string[] = [];
  while (!fitting.finished) {
    losses.push((await fitting.step()).validationLoss ?? Number.NaN);
    models.push(JSON.stringify((await fitting.model()).arrays['ehr_head.auto2.bias']?.data));
  }
  const best = losses.indexOf(Math.min(...losses));
  t.true(losses.length < fitting.steps);
  t.is(losses.length, best + 3);
  t.is(models.at(-1), models[best]);
  fitting.dispose();
});

test.serial('untrained from prevalence, it is the independent marginals', async (t) => {
  const data = planted();
  const fitting = await fitHalo(data, small, 1);
  const { arrays } = await fitting.model();
  t.true(arrays['ehr_head.auto2.weight']?.data.every((weight) => Number(weight) === 0));
  // [out, in]: the hidden unit of a column is the column itself.
  const hidden = arrays['ehr_head.auto1.weight'] as { data: Float32Array; shape: number[] };
  const side = hidden.shape[1] as number;
  for (let out = 8; out < side - 1; out++)
    t.deepEqual(
      [...hidden.data.subarray(out * side, (out + 1) * side)].flatMap((weight, i) =>
        weight === 0 ? [] : [[i, weight]],
      ),
      [[out, 1]],
    );
  t.true(hidden.data.subarray(0, 8 * side).some((weight) => weight !== 0));
  const bias = arrays['ehr_head.auto2.bias']?.data as Float32Array;
  const share = data.train.codes.filter((code) => code === 0).length / (data.train.codeOffsets.length - 1);
  t.true(Math.abs(1 / (1 + Math.exp(-(bias[7] as number))) - share) < 0.01);
  fitting.dispose();
});

for (const rate of [0, 0.25])
  test.serial(
    `gradients agree with finite differences at sizes that divide nothing evenly, dropout ${rate}`,
    async (t) => {
      const architecture = {
        layers: 1,
        heads: 3,
        embedding: 9,
        codes: 12,
        labels: 2,
        maxVisits: 3,
        positions: 7,
      };
      const { train } = planted();
      const draw = initialValues(architecture, new RandomSource(1, 'weights'), train, 'random');
      const network = await HaloNetwork.build(await openOps(), architecture, 5, (part) => ({
        value: draw(part),
      }));
      const batch = packPatients(layoutOf(architecture), train, Int32Array.of(3, 8, 1), 3);
      const scale = { normalization: 'cells', positiveWeight: 2, maxVisits: 3 } as const;
      const gradients = new Map<string, Float32Array>();
      const dropout = { rate, source: new RandomSource(1, 'dropout'), step: 0 };
      const keep: Update = ({ name }, gradient) => gradients.set(name, network.ops.download(gradient));
      await network.learn(batch, scale, keep, dropout);
      const step = 1 / 128;
      for (const part of network.weights) {
        const gradient = gradients.get(part.name) as Float32Array;
        const steepest = gradient.reduce(
          (at, g, i) => (Math.abs(g) > Math.abs(gradient[at] as number) ? i : at),
          0,
        );
        const lossAt = async (shift: number): Promise<number> => {
          const moved = await HaloNetwork.build(await openOps(), architecture, 5, (other) => {
            const value = draw(other);
            if (other.name === part.name) value[steepest] = (value[steepest] as number) + shift;
            return { value };
          });
          const { sum, cells } = await moved.loss(batch, scale);
          const loss = rate === 0 ? sum / cells : await moved.learn(batch, scale, () => {}, dropout);
          moved.dispose();
          return loss;
        };
        const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
        const expected = gradient[steepest] as number;
        t.true(
          Math.abs(slope - expected) < 0.02 * Math.abs(expected) + 2e-5,
          `${part.name}: ${slope}, ${expected}`,
        );
      }
      network.dispose();
    },
  );

test.serial('a step lets the event loop turn', async (t) => {
  const pace = new Pace();
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  for (let i = 0; i < 4; i++) {
    const until = performance.now() + 60;
    while (performance.now() < until);
    await pace.rest();
  }
  clearInterval(timer);
  t.true(turns >= 3);
});

test.serial('between two arrays of a model the event loop turns', async (t) => {
  const architecture = {
    layers: 1,
    heads: 1,
    embedding: 8,
    codes: 30,
    labels: 2,
    maxVisits: 3,
    positions: 5,
  };
  const parts = allWeights(architecture, 16);
  let turns = 0;
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    turns++;
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const slow = ({ shape }: Weight): Float32Array => {
    const until = performance.now() + 30;
    while (performance.now() < until);
    return new Float32Array(shape.reduce((product, width) => product * width, 1)).fill(1);
  };
  const start = performance.now();
  const inTurns = await toReference(architecture, parts, slow, new Pace());
  clearInterval(timer);
  t.true(turns >= 5);
  t.true(longest < (performance.now() - start) / 3, `${longest} ms without a turn`);
  const ones = ({ shape }: Weight) => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1);
  t.deepEqual(inTurns, await toReference(architecture, parts, ones, new Pace()));
});
