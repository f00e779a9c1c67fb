import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import { generatorConfig } from '../../../pipelines/generation/generator.ts';
import { fromPrevalence } from '../../../pipelines/generation/record-fitting.ts';
import { independentSampler, type SetNetwork } from '../../../pipelines/generation/record-sampler.ts';
import { layoutOf, type RecordSets, recordSets } from '../../../pipelines/generation/record-sets.ts';
import { CoarseNetwork } from '../../../pipelines/generators/halo/network/coarse-network.ts';
import { freshLstm, LstmNetwork } from '../../../pipelines/generators/lstm/network.ts';
import { generatorNamed } from '../../../pipelines/generators/registry.ts';
import { RandomSource } from '../../../pipelines/kernel/random.ts';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import type { Update } from '../../../pipelines/nn/layers/layers.ts';
import { freshValues } from '../../../pipelines/nn/ops/fresh-values.ts';
import { openOps } from '../../../pipelines/nn/ops/open-ops.ts';
import type { TrainableNetwork, TrainableWeight } from '../../../pipelines/nn/training/epoch-trainer.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../../../pipelines/patients/visit-columns.ts';
import { planted } from './planted-cohort.ts';

test.before(async () => {
  await startBackend();
});

const size = { codes: 12, labels: 2, maxVisits: 3 };
const layout = layoutOf(size);
const { train } = planted();
const records = (patients: number[]): RecordSets[] =>
  patients.map((patient) => recordSets(layout, train, patient, size.maxVisits));

type Initial = (weight: TrainableWeight) => Float32Array;
interface Tested<S> {
  fresh: Initial;
  open(initial: Initial): Promise<TrainableNetwork & SetNetwork<S>>;
  learn(
    network: TrainableNetwork,
    records: readonly RecordSets[],
    update: Update,
    dropout: number,
  ): Promise<number>;
  loss(network: TrainableNetwork, records: readonly RecordSets[]): Promise<{ sum: number; cells: number }>;
}

const lstmSize = { ...size, width: 5, layers: 2 };
const coarseSize = { ...size, layers: 2, heads: 3, embedding: 9, positions: 5, biased: true };
const asLstm = (network: TrainableNetwork): LstmNetwork => {
  if (network instanceof LstmNetwork) return network;
  throw new TypeError('expected an LSTM');
};
const asCoarse = (network: TrainableNetwork): CoarseNetwork => {
  if (network instanceof CoarseNetwork) return network;
  throw new TypeError('expected a coarse network');
};
/** So that no weight is without effect. */
const spread: Initial = ({ name, shape }) => {
  const [rows, columns] = [1, ...shape].slice(-2) as [number, number];
  const tensor = [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 9973;
  const values = freshValues(
    new RandomSource(3, 'weights'),
    { kind: 'uniform', size: 0.6 },
    { tensor, row: 0, column: 0, rows, columns },
  );
  return name.includes('ln_') && name.endsWith('weight') ? values.map((value) => 1 + value) : values;
};

const lstm: Tested<Parameters<LstmNetwork['free']>[0][number][]> = {
  fresh: freshLstm(lstmSize, new RandomSource(1, 'weights')),
  open: async (initial) => {
    const network = new LstmNetwork(await openOps(), lstmSize, (weight) => ({ value: initial(weight) }));
    return network;
  },
  learn: async (network, batch, update, rate) =>
    asLstm(network).learn(
      batch,
      { step: 0, epoch: 0, update },
      { rate, source: new RandomSource(1, 'dropout') },
    ),
  loss: async (network, batch) => asLstm(network).loss(batch),
};
const coarse: Tested<Parameters<CoarseNetwork['select']>[0]> = {
  fresh: spread,
  open: async (initial) =>
    new CoarseNetwork(await openOps(), coarseSize, (weight) => ({ value: initial(weight) })),
  learn: (network, batch, update, rate) =>
    asCoarse(network).learn(batch, update, { rate, source: new RandomSource(1, 'dropout'), step: 0 }),
  loss: (network, batch) => asCoarse(network).loss(batch),
};

const check = <S>(name: string, tested: Tested<S>): void => {
  for (const rate of [0, 0.25])
    test.serial(`${name}: gradients agree with finite differences, dropout ${rate}`, async (t) => {
      const network = await tested.open(spread);
      const batch = records([3, 8, 1, 2]);
      const gradients = new Map<string, Float32Array>();
      const keep: Update = ({ name: of }, gradient) => gradients.set(of, network.ops.download(gradient));
      await tested.learn(network, batch, keep, rate);
      const step = 1 / 128;
      t.is(gradients.size, network.weights.length);
      for (const weight of network.weights) {
        const gradient = gradients.get(weight.name) as Float32Array;
        const steepest = gradient.reduce(
          (at, slope, i) => (Math.abs(slope) > Math.abs(gradient[at] as number) ? i : at),
          0,
        );
        const lossAt = async (shift: number): Promise<number> => {
          const moved = await tested.open((other) => {
            const values = spread(other);
            if (other.name === weight.name) values[steepest] = (values[steepest] as number) + shift;
            return values;
          });
          const { sum, cells } = await tested.loss(moved, batch);
          const loss = rate === 0 ? sum / cells : await tested.learn(moved, batch, () => {}, rate);
          moved.dispose();
          return loss;
        };
        const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
        const expected = gradient[steepest] as number;
        t.true(
          Math.abs(slope - expected) < 0.02 * Math.abs(expected) + 2e-5,
          `${weight.name}: ${slope}, ${expected}`,
        );
      }
      network.dispose();
    });

  test.serial(`${name}: read set by set, records have the log-odds of whole ones`, async (t) => {
    const network = await tested.open(spread);
    const [record] = records([3]) as [RecordSets];
    const others = records([1, 8]);
    const whole = await network.logits([others[0] as RecordSets, record, others[1] as RecordSets]);
    let row = (others[0] as RecordSets).length - 1;
    let state: S | undefined;
    for (let position = 0; position + 1 < record.length; position++, row++) {
      const before = state;
      const logits = await network.ops.scope(async () => {
        const next = await network.next([record[position] as ArrayLike<number>], position, before);
        state = next.state;
        return network.ops.download(next.logits);
      });
      const expected = whole.subarray(row * layout.width, (row + 1) * layout.width);
      t.true(logits.every((logit, i) => Math.abs(logit - (expected[i] as number)) < 1e-4));
    }
    if (state !== undefined) network.free(state);
    network.dispose();
  });

  test.serial(
    `${name}: a record’s log-probability is that of its cells, and those of all records of one visit add up`,
    async (t) => {
      const network = await tested.open(spread);
      const sampler = independentSampler(network, planted().vocabulary);
      const scores = await drainAsync(sampler.score(train));
      const logits = await network.logits(records([3]));
      const sets = records([3])[0] as RecordSets;
      let sum = 0;
      let cells = 0;
      for (let row = 0; row + 1 < sets.length; row++)
        for (let column = 0; column < layout.width; column++) {
          const isLabel = column >= layout.codes && column < layout.start;
          if (row === 0 ? !isLabel : column >= layout.codes && column !== layout.end) continue;
          const p = 1 / (1 + Math.exp(-(logits[row * layout.width + column] as number)));
          sum += Math.log(Array.from(sets[row + 1] ?? []).includes(column) ? p : 1 - p);
          cells++;
        }
      t.true(Math.abs((scores.logProbability[3] as number) - sum) < 1e-4);
      t.is(scores.cells[3], cells);
      // All sets of labels and codes in a record of one visit: together as probable as that the first visit ends the record.
      const builder = new VisitColumnsBuilder();
      for (let labels = 0; labels < 4; labels++)
        for (let codes = 0; codes < 4096; codes++)
          builder.addPatient(
            [[...Array(12).keys()].filter((code) => (codes >> code) & 1)],
            [labels & 1, labels >> 1],
          );
      const all = builder.build();
      const total = (await drainAsync(sampler.score(all))).logProbability.reduce(
        (p, log) => p + Math.exp(log),
        0,
      );
      const ends = await endShare(network);
      t.true(Math.abs(total - ends) < 1e-3, `${total}, ${ends}`);
      sampler.dispose();
    },
  );

  test.serial(`${name}: from prevalence, untrained it is the independent marginals`, async (t) => {
    const output = name === 'lstm' ? 'head' : 'ehr_head.decoder';
    const names = { weight: `${output}.weight`, bias: `${output}.bias` };
    const network = await tested.open(fromPrevalence(layout, train, names, tested.fresh));
    const logits = await network.logits(records([3, 1]));
    const share = train.codes.filter((code) => code === 0).length / (train.codeOffsets.length - 1);
    for (let row = 1; row * layout.width < logits.length; row++)
      t.true(Math.abs(1 / (1 + Math.exp(-(logits[row * layout.width] as number))) - share) < 0.01);
    network.dispose();
  });
};

/** The probability that a record ends with its first visit, over all labels. */
const endShare = async <S>(network: TrainableNetwork & SetNetwork<S>): Promise<number> => {
  let share = 0;
  for (let labels = 0; labels < 4; labels++) {
    const present = [0, 1].filter((label) => (labels >> label) & 1).map((label) => layout.codes + label);
    const logits = await network.logits([[[layout.start], present, [layout.end]]]);
    const probability = (row: number, column: number) =>
      1 / (1 + Math.exp(-(logits[row * layout.width + column] as number)));
    const own = [0, 1].map((label) => {
      const p = probability(0, layout.codes + label);
      return (labels >> label) & 1 ? p : 1 - p;
    });
    share += (own[0] as number) * (own[1] as number) * probability(1, layout.end);
  }
  return share;
};

check('lstm', lstm);
check('halo-coarse', coarse);

/** Visits of one code, that goes round 0, 1, 2: the code of a visit is certain given the one before, and a coin without it. */
const rounds = (patients: number): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  for (let patient = 0; patient < patients; patient++)
    builder.addPatient(
      [0, 1, 2].map((visit) => [(patient + visit) % 3]),
      [patient % 2],
    );
  return builder.build();
};

const cyclic = {
  vocabulary: {
    codes: [0, 1, 2].map((i) => ({ modality: 'dx' as const, code: `${i}` })),
    labels: ['noise'],
  },
  train: rounds(90),
  validation: rounds(30),
};

/** Of consecutive visits with one code each, how many go round; of all consecutive visits. */
const goesRound = ({ visitOffsets, codeOffsets, codes }: VisitColumns): number => {
  let [right, all] = [0, 0];
  for (let patient = 0; patient + 1 < visitOffsets.length; patient++)
    for (
      let visit = visitOffsets[patient] as number;
      visit + 1 < (visitOffsets[patient + 1] as number);
      visit++
    ) {
      const [one, two] = [visit, visit + 1].map((at) => codes.subarray(codeOffsets[at], codeOffsets[at + 1]));
      all++;
      if (one?.length === 1 && two?.length === 1 && two[0] === ((one[0] as number) + 1) % 3) right++;
    }
  return right / Math.max(1, all);
};

const sampled = async (name: string, config: object) => {
  const generator = generatorNamed(name);
  const parsed = generator.config.parse(config);
  const fitting = await generator.fit(cyclic, parsed, 1);
  while (!fitting.finished) await fitting.step();
  const sampler = await generator.open(await fitting.model(), parsed, cyclic.vocabulary);
  const columns = await sampler.sample({ first: 0, count: 400, seed: 2 });
  if (!sampler.score) throw new TypeError(`${name} has no probability of a record`);
  const scores = await drainAsync(sampler.score(cyclic.validation));
  fitting.dispose();
  sampler.dispose();
  return { columns, log: scores.logProbability.reduce((a, b) => a + b) };
};

for (const [name, config] of Object.entries({
  lstm: { layers: 1, width: 24, learningRate: 0.01, epochs: 60, batch: 16, dropout: 0 },
  'halo-coarse': {
    layers: 1,
    heads: 2,
    embedding: 24,
    learningRate: 0.01,
    epochs: 60,
    batch: 16,
    dropout: 0,
  },
}))
  test.serial(`${name}: learns what follows what from visit to visit, which marginals cannot`, async (t) => {
    const [learned, marginal] = [await sampled(name, config), await sampled('marginal', {})];
    const [right, chance] = [goesRound(learned.columns), goesRound(marginal.columns)];
    // By chance 4/9 · 4/9 · 1/3: one code in each of two visits, the right one.
    t.true(right > 0.6 && chance < 0.15, `${right}, ${chance}`);
    t.true(learned.log > marginal.log + 30, `${learned.log}, ${marginal.log}`);
  });

test('halo-coarse is a generator of its own: halo refuses `head` and names it', (t) => {
  const error = t.throws(() => generatorConfig(generatorNamed('halo'), { head: 'coarse' }), {
    name: 'InvalidConfig',
  });
  t.regex(error.message, /use generator halo-coarse/);
  t.throws(() => generatorConfig(generatorNamed('halo'), { haed: 1 }), { message: /haed/ });
});

test.serial('as published, halo-coarse has no bias and begins with the transposed embedding', async (t) => {
  const generator = generatorNamed('halo-coarse');
  const config = generator.config.parse({ preset: 'paper', layers: 1, heads: 2, embedding: 6, batch: 16 });
  const fitting = await generator.fit(planted(), config, 1);
  t.like(fitting.settings, {
    batch: 16,
    epochs: 25,
    learningRate: 1e-4,
    start: 'random',
    calibration: 0,
    maxVisits: 46,
  });
  const { arrays } = await fitting.model();
  t.is(arrays['ehr_head.decoder.bias'], undefined);
  const [decoder, table] = ['ehr_head.decoder.weight', 'transformer.vis_embed_mat.weight'].map(
    (name) => arrays[name],
  );
  t.deepEqual(decoder?.shape, [6, 17]);
  t.is(decoder?.data[2 * 17 + 5], table?.data[5 * 6 + 2]);
  fitting.dispose();
});
