import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import type { TrainingData } from '../../../../../pipelines/generation/generator.ts';
import { allWeights } from '../../../../../pipelines/generators/promptehr/network/weight-layout.ts';
import {
  interfaceOf,
  readPromptModel,
} from '../../../../../pipelines/generators/promptehr/records/prompt-model.ts';
import { streamsOf } from '../../../../../pipelines/generators/promptehr/records/streams.ts';
import {
  promptConfig,
  resolvePrompt,
} from '../../../../../pipelines/generators/promptehr/training/config.ts';
import { fitPrompt } from '../../../../../pipelines/generators/promptehr/training/fitting.ts';
import {
  headShares,
  initialValues,
  prevalenceBias,
} from '../../../../../pipelines/generators/promptehr/training/initial-weights.ts';
import { RandomSource } from '../../../../../pipelines/kernel/random.ts';
import { decodeSaved, encodeSaved } from '../../../../../pipelines/kernel/safetensors.ts';
import type { VisitColumns } from '../../../../../pipelines/patients/visit-columns.ts';
import { recordsOf } from '../../../../helpers/patients.ts';
import { planted } from '../../planted-cohort.ts';

test.before(async () => {
  await startBackend();
});

const tiny = {
  ...{ width: 16, encoderLayers: 1, decoderLayers: 1, attentionHeads: 2, feed: 16, promptHidden: 4 },
  ...{ learningRate: 0.003, epochs: 3, batch: 16, calibration: 0 },
};
const config = (more: object = {}) => promptConfig.parse({ ...tiny, ...more });

const columnsOf = (records: number[][][]): VisitColumns => recordsOf(records, [1, 0]);
const dataOf = (train: VisitColumns, validation = columnsOf([])): TrainingData => ({
  ...planted(),
  train,
  validation,
});

/** The planted patients with two kinds of codes and demographics. */
const rich = (): TrainingData => {
  const { vocabulary, train, validation } = planted();
  const codes = vocabulary.codes.map((code, i) => (i < 6 ? code : { ...code, modality: 'rx' as const }));
  const patients = train.visitOffsets.length - 1;
  const sex = (count: number) => Int32Array.from({ length: count }, (_, i) => i % 2);
  const age = (count: number) => Float32Array.from({ length: count }, (_, i) => 20 + ((7 * i) % 60));
  const facts = (count: number) => ({
    sex: { kind: 'categorical' as const, levels: ['F', 'M'], values: sex(count) },
    age: { kind: 'numeric' as const, values: age(count) },
  });
  return {
    vocabulary: { ...vocabulary, codes },
    train: { ...train, demographics: facts(patients) },
    validation: { ...validation, demographics: facts(validation.visitOffsets.length - 1) },
  };
};

test.serial(
  'put away in mid-epoch with dropout, clipping and corruption, it goes on bit for bit',
  async (t) => {
    const data = rich();
    const settings = config({ dropout: 0.2, clip: 0.5, order: 'shuffled', warmUpEpochs: 1, epochs: 2 });
    const whole = await fitPrompt(data, settings, 5);
    const perEpoch = whole.steps / 2;
    const stops = [perEpoch - 2, perEpoch, perEpoch + 3];
    const put = new Map<number, Uint8Array>();
    const reports: unknown[] = [];
    for (let step = 0; !whole.finished; step++) {
      if (stops.includes(step)) put.set(step, encodeSaved(await whole.save()));
      reports.push(await whole.step());
    }
    t.is(reports.length, whole.steps);
    for (const [stop, bytes] of put) {
      const other = await fitPrompt(data, settings, 5);
      await other.load(decodeSaved(bytes));
      for (let step = stop; step < whole.steps; step++) t.deepEqual(await other.step(), reports[step]);
      t.deepEqual(encodeSaved(await other.save()), encodeSaved(await whole.save()));
      t.deepEqual(encodeSaved(await other.model()), encodeSaved(await whole.model()));
      other.dispose();
    }
    whole.dispose();
  },
);

test.serial(
  'the model tells what sampling needs, and no more than the training split’s groups',
  async (t) => {
    const data = rich();
    const fitting = await fitPrompt(data, config({ epochs: 1 }), 1);
    t.like(fitting.facts, { recordsCut: 0, prompts: 'age, sex', labelPrompts: 2, patientsWithoutVisits: 0 });
    const { json, arrays } = decodeSaved(encodeSaved(await fitting.model()));
    const model = readPromptModel(json, data.vocabulary);
    t.deepEqual(model.features.categorical, [{ name: 'sex', levels: ['F', 'M'] }]);
    t.deepEqual(model.architecture.categories, [2, 2, 2]);
    t.is(model.architecture.positions, model.settings.contextTokens + 3);
    t.is(
      fitting.facts['parameters'],
      Object.values(arrays).reduce((sum, { data }) => sum + data.length, 0),
    );
    t.is(arrays['model.shared.weight']?.shape[0], streamsOf(data.vocabulary).tokens);
    fitting.dispose();
    const none = await fitPrompt(
      data,
      config({ prompts: { numeric: [], categorical: ['sex'], labels: [] } }),
      1,
    );
    t.like(none.facts, { prompts: 'sex', labelPrompts: 0 });
    t.is(
      readPromptModel((await none.model()).json, data.vocabulary).marginals.labels,
      2,
      'labels are drawn all the same',
    );
    none.dispose();
  },
);

test.serial(
  'records that do not fit are counted, patients without a visit left out and counted',
  async (t) => {
    const long = Array.from({ length: 12 }, (_, code) => code);
    const train = columnsOf([[long, [1]], [], [[6]], [[1], [2]]]);
    const fitting = await fitPrompt(dataOf(train), config({ contextTokens: 11, batch: 2 }), 1);

    t.like(fitting.facts, { recordsCut: 2, patientsWithoutVisits: 1 });
    t.is(fitting.steps, 3 * 3, 'five visits by two');
    while (!fitting.finished) t.true(Number.isFinite((await fitting.step()).loss));
    fitting.dispose();
  },
);

test.serial('without patients to learn from it says so', async (t) => {
  await t.throwsAsync(() => fitPrompt(dataOf(columnsOf([[], []])), config(), 1), {
    name: 'TooFewPatients',
  });
});

test.serial('validation stops training and keeps the best weights, given enough patients', async (t) => {
  const { train, validation } = planted();
  const fast = config({
    epochs: 40,
    patience: 2,
    learningRate: 0.1,
    batch: 128,
    schedule: 'constant',
    warmUpEpochs: 0,
  });
  const fitting = await fitPrompt(dataOf(train, validation), fast, 1);
  const losses: number[] = [];
  const models: string[] = [];
  while (!fitting.finished) {
    losses.push((await fitting.step()).validationLoss ?? Number.NaN);
    models.push(JSON.stringify((await fitting.model()).arrays['model.decoder.layers.0.fc1.bias']?.data));
  }
  const best = losses.indexOf(Math.min(...losses));
  t.true(losses.length < fitting.steps);
  t.is(losses.length, best + 3);
  t.is(models.at(-1), models[best]);
  fitting.dispose();
});

test('settings come from the cohort’s size, the paper or the person, and must agree', (t) => {
  const { train } = planted();
  const auto = resolvePrompt(promptConfig.parse({}), train, 1);
  t.like(auto, { width: 128, contextTokens: 25, order: 'canonical', tied: true });
  t.like(resolvePrompt(promptConfig.parse({ preset: 'paper', decoderLayers: 3 }), train, 1), {
    ...{ width: 768, encoderLayers: 6, decoderLayers: 3, attentionHeads: 12, feed: 3072, promptHidden: 128 },
    ...{ learningRate: 1e-5, weightDecay: 1e-4, batch: 16, epochs: 50, warmUpEpochs: 3, schedule: 'linear' },
    ...{ contextTokens: 1024, tied: true },
  });
  t.is(resolvePrompt(promptConfig.parse({ corruption: { share: 0.25 } }), train, 1).corruption.share, 0.25);
  t.throws(() => resolvePrompt(promptConfig.parse({ attentionHeads: 3 }), train, 1), {
    name: 'InvalidConfig',
    message: /attentionHeads \(3\) must divide width \(128\)/,
  });
  const none = { longitudinal: 0, crossModal: 0, generation: 0, completion: 0 };
  t.throws(() => promptConfig.parse({ tasks: none }), { message: /one of them must be above 0/ });
});

test('heads that begin at prevalence say independent codes, in any order of theirs', (t) => {
  // In 3 visits code 0 is twice, code 1 never, code 2 always: never and always are half a visit from it.
  const columns = columnsOf([[[0, 2], [2]], [[0, 2]]]);
  const codes = [0, 1, 2].map((i) => ({ modality: 'dx' as const, code: `${i}` }));
  const layout = streamsOf({ codes });
  const p = [2 / 3, 0.5 / 3, 2.5 / 3] as const;
  const [bias] = prevalenceBias(headShares(layout, columns), 'canonical') as [Float32Array];
  const chance = (from: number, output: number) => {
    const weights = [...bias].map((b, i) => (i === 0 || i >= from ? Math.exp(b) : 0));
    return (weights[output] as number) / weights.reduce((a, b) => a + b, 0);
  };
  const near = (a: number, b: number) => t.true(Math.abs(a - b) < 1e-6, `${a}, ${b}`);
  near(chance(1, 0), (1 - p[0]) * (1 - p[1]) * (1 - p[2]));
  near(chance(1, 1), p[0]);
  near(chance(1, 3), (1 - p[0]) * (1 - p[1]) * p[2]);
  near(chance(2, 3), (1 - p[1]) * p[2]);
  near(chance(4, 0), 1);
  const [free] = prevalenceBias(headShares(layout, columns), 'shuffled') as [Float32Array];
  [0, ...p.map(Math.log)].forEach((expected, i) => {
    near(free[i] as number, expected);
  });
});

test('fresh weights are as the reference draws them, whatever else there is', (t) => {
  const layout = streamsOf(planted().vocabulary);
  const features = { numeric: [{ name: 'age', mean: 0, deviation: 1 }], categorical: [], labels: [0] };
  const architecture = {
    ...{ width: 64, encoderLayers: 2, decoderLayers: 1, attentionHeads: 2, feed: 128, positions: 40 },
    ...{ promptHidden: 16, tied: true },
    ...interfaceOf(layout, features),
  };
  const initial = initialValues(architecture, new RandomSource(2, 'weights'));
  const parts = new Map(allWeights(architecture).map((part) => [part.name, part]));
  const spread = (name: string) => {
    const part = parts.get(name);
    if (!part) throw new RangeError(name);
    const values = initial(part);
    return Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
  };
  for (const name of ['model.shared.weight', 'model.encoder.layers.1.fc1.weight'])
    t.true(Math.abs(spread(name) - 0.02) < 0.002, name);
  t.is(spread('model.encoder.layers.1.fc1.bias'), 0);
  for (const norm of ['self_attn_layer_norm', 'final_layer_norm'])
    t.is(spread(`model.decoder.layers.0.${norm}.weight`), 1);
  t.is(spread('model.encoder.layernorm_embedding.weight'), 1);
  t.is(spread('model.encoder.layernorm_embedding.bias'), 0);
  // Xavier: uniform up to √(6 / (1 + 16)), which has a spread of that by √3.
  t.true(Math.abs(spread('model.encoder_conditional_prompt.num_tokenizer.weight') - Math.sqrt(2 / 17)) < 0.1);
});
