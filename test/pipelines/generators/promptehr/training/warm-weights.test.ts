import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import type { FittedModel, Fitting, TrainingData } from '../../../../../pipelines/generation/generator.ts';
import { readPromptModel } from '../../../../../pipelines/generators/promptehr/records/prompt-model.ts';
import promptehr from '../../../../../pipelines/generators/promptehr.ts';
import type { Saved } from '../../../../../pipelines/kernel/checkpointable.ts';
import { decodeSaved, encodeSaved } from '../../../../../pipelines/kernel/safetensors.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../../../../../pipelines/patients/visit-columns.ts';
import { planted, quickSettings } from '../../planted-cohort.ts';
import { distance } from '../small.ts';

test.before(() => startBackend());

/** Some facts beside the planted visits: ages around `center`, and the first label as a level. */
const told = (columns: VisitColumns, center: number, names: string[]): VisitColumns => {
  const patients = columns.visitOffsets.length - 1;
  const each = (value: (patient: number) => number) => Array.from({ length: patients }, (_, i) => value(i));
  return {
    ...columns,
    demographics: {
      age: { kind: 'numeric', values: Float32Array.from(each((i) => center + (i % 7))) },
      sex: { kind: 'categorical', levels: names, values: Int32Array.from(each((i) => i % 2)) },
    },
  };
};

const plain = planted();
const data: TrainingData = {
  ...plain,
  train: told(plain.train, 40, ['F', 'M']),
  validation: told(plain.validation, 40, ['F', 'M']),
};
const small = { ...Object(quickSettings['promptehr']), start: 'prevalence', calibration: 0, epochs: 4 };
const configOf = (changes: object = {}) => promptehr.config.parse({ ...small, ...changes });
/** Left out: they come from the model. */
const unsized = {
  ...{ width: undefined, encoderLayers: undefined, decoderLayers: undefined },
  ...{ attentionHeads: undefined, feed: undefined, promptHidden: undefined },
};

const fromModel = (start: FittedModel, on: TrainingData, changes: object = {}, seed = 2): Promise<Fitting> =>
  promptehr.fitFrom?.(start, on, configOf({ ...unsized, start: undefined, ...changes }), seed) ??
  Promise.reject(new Error('promptehr cannot start from a model'));

const modelOf = async (fitting: Fitting, steps = 0): Promise<Saved> => {
  for (let step = 0; step < steps; step++) await fitting.step();
  const saved = decodeSaved(encodeSaved(await fitting.model()));
  fitting.dispose();
  return saved;
};

const first = (() => {
  let made: Promise<FittedModel> | undefined;
  return (): Promise<FittedModel> => {
    made ??= promptehr
      .fit(data, configOf(), 1)
      .then((fitting) => modelOf(fitting, 6))
      .then((saved) => ({ saved, vocabulary: data.vocabulary }));
    return made;
  };
})();

const rowsOf = ({ arrays }: Saved, name: string): number[][] => {
  const { shape, data: values } = arrays[name] ?? { shape: [0, 0], data: new Float32Array(0) };
  const [count = 0, width = 0] = shape;
  return Array.from({ length: count }, (_, row) =>
    Array.from(values.subarray(row * width, (row + 1) * width), Number),
  );
};

test.serial('on the very same cohort it begins where the model ended, to the bit', async (t) => {
  const start = await first();
  const fitting = await fromModel(start, data);
  t.like(fitting.facts, { codesTaken: 12, codesFresh: 0, promptsTaken: 4, promptsFresh: 0 });
  t.like(fitting.settings, {
    width: 16,
    attentionHeads: 2,
    promptHidden: 4,
    start: 'prevalence',
    tied: true,
  });
  const saved = await modelOf(fitting);
  t.deepEqual(Object.keys(saved.arrays), Object.keys(start.saved.arrays));
  for (const [name, { data: values }] of Object.entries(saved.arrays))
    t.true(distance(values as Float32Array, start.saved.arrays[name]?.data as Float32Array) < 1e-7, name);
});

/** Of the codes, the last four under other names. */
const renamed = data.vocabulary.codes.map((code, i) => (i < 8 ? code : { ...code, code: `new ${i}` }));

/** The same visits of patients told in another order of codes, labels and levels. */
const otherCohort = (): TrainingData => {
  const reversed = (columns: VisitColumns): VisitColumns => {
    const builder = new VisitColumnsBuilder();
    for (let p = 0; p + 1 < columns.visitOffsets.length; p++) {
      const visits: number[][] = [];
      for (let v = columns.visitOffsets[p] as number; v < (columns.visitOffsets[p + 1] as number); v++)
        visits.push(
          Array.from(
            columns.codes.subarray(columns.codeOffsets[v], columns.codeOffsets[v + 1]),
            (c) => 11 - c,
          ),
        );
      const [a = 0, b = 0] = columns.labels.subarray(p * 2, p * 2 + 2);
      builder.addPatient(visits, [b, a]);
    }
    return told(builder.build(), 60, ['M', 'X']);
  };
  return {
    vocabulary: { codes: renamed.toReversed(), labels: data.vocabulary.labels.toReversed() },
    train: reversed(data.train),
    validation: reversed(data.validation),
  };
};

test.serial(
  'on another cohort, rows are those of the same code, level and label; others are new',
  async (t) => {
    const start = await first();
    const other = otherCohort();
    const fitting = await fromModel(start, other);
    t.like(fitting.facts, { codesTaken: 8, codesFresh: 4, promptsTaken: 4, promptsFresh: 0 });
    const saved = await modelOf(fitting);
    const base = 8;
    const [table, before] = [
      rowsOf(saved, 'model.shared.weight'),
      rowsOf(start.saved, 'model.shared.weight'),
    ];
    for (let code = 0; code < 12; code++) {
      const [now, then] = [table[base + 11 - code], before[base + code]];
      if (code < 8) t.deepEqual(now, then, `code ${code}`);
      else t.notDeepEqual(now, then, `code ${code} is another one`);
    }
    t.deepEqual(table.slice(0, base), before.slice(0, base), 'marks and brackets');
    const bias = (of: Saved) => Array.from(of.arrays['lm_head.dx.bias']?.data ?? [], Number);
    const [ours, theirs] = [bias(saved), bias(start.saved)];
    t.is(ours[0], theirs[0], 'the end');
    for (let code = 0; code < 8; code++) t.is(ours[12 - code], theirs[1 + code]);

    for (const side of ['encoder', 'decoder']) {
      const at = (kind: string, name: string) => `model.${side}_conditional_prompt.${kind}_tokenizer.${name}`;
      const levels = (of: Saved) => rowsOf(of, at('cat', 'embeddings.weight'));
      const [now, then] = [levels(saved), levels(start.saved)];
      t.deepEqual(now[0], then[1], 'sex M');
      t.notDeepEqual(now[1], then[0], 'sex X is new');
      t.deepEqual(now.slice(2, 6), [...then.slice(4, 6), ...then.slice(2, 4)], 'labels by their names');
      // The prompt of an age of 45, as each model says it.
      const said = (of: Saved, on: TrainingData) => {
        const [{ mean = 0, deviation = 1 } = {}] = readPromptModel(of.json, on.vocabulary).features.numeric;
        const [weight = []] = rowsOf(of, at('num', 'weight'));
        const [offset = []] = rowsOf(of, at('num', 'bias'));
        return weight.map((w, i) => (w * (45 - mean)) / deviation + (offset[i] ?? 0));
      };
      t.true(distance(said(saved, other), said(start.saved, data)) < 1e-4, 'an age is the same prompt');
    }
  },
);

test.serial('same seed, same bytes; another seed draws other rows; it goes on bit for bit', async (t) => {
  const start = await first();
  const other = otherCohort();
  const bytes = async (seed: number) =>
    encodeSaved(await modelOf(await fromModel(start, other, {}, seed), 3));
  t.deepEqual(await bytes(2), await bytes(2));
  t.notDeepEqual(await bytes(2), await bytes(3));
  const whole = await fromModel(start, other, { dropout: 0.2 });
  await whole.step();
  const put = decodeSaved(encodeSaved(await whole.save()));
  const again = await fromModel(start, other, { dropout: 0.2 });
  await again.load(put);
  t.deepEqual(await again.step(), await whole.step());
  t.deepEqual(encodeSaved(await again.save()), encodeSaved(await whole.save()));
  whole.dispose();
  again.dispose();
});

test.serial('what a model has learned of codes that both know is there from the first step', async (t) => {
  const longer = await promptehr.fit(data, configOf({ epochs: 20 }), 1);
  const saved = await modelOf(longer, 40);
  const other = { ...data, vocabulary: { ...data.vocabulary, codes: renamed } };
  const loss = async (fitting: Fitting) => {
    const { loss: told } = await fitting.step();
    fitting.dispose();
    return told;
  };
  const warm = await loss(
    await fromModel({ saved, vocabulary: data.vocabulary }, other, { corruption: { share: 0 } }),
  );
  const cold = await loss(await promptehr.fit(other, configOf({ corruption: { share: 0 } }), 2));
  t.true(warm < 0.75 * cold, `${warm} from the model, ${cold} from prevalences`);
});

test.serial(
  'heads of their own come from the rows they shared, and the model from more positions',
  async (t) => {
    const start = await first();
    const fitting = await fromModel(start, data, { tied: false, contextTokens: 20 });
    const saved = await modelOf(fitting);
    t.deepEqual(rowsOf(saved, 'lm_head.dx.weight').slice(1), rowsOf(saved, 'model.shared.weight').slice(8));
    const [now, then] = [saved, start.saved].map((of) => rowsOf(of, 'model.encoder.embed_positions.weight'));
    t.true((now?.length ?? 0) < (then?.length ?? 0));
    t.deepEqual(now, then?.slice(0, now?.length));
    const untied = await modelOf(await fromModel({ saved, vocabulary: data.vocabulary }, data));
    t.deepEqual(rowsOf(untied, 'lm_head.dx.weight'), rowsOf(saved, 'lm_head.dx.weight'));
  },
);

test.serial('what the config asks for and the model cannot give is told in numbers', async (t) => {
  const start = await first();
  const untied = await modelOf(await fromModel(start, data, { tied: false }));
  const cases: [FittedModel, object, RegExp][] = [
    [start, { width: 32 }, /width is 32 in the config and 16 in the model it is to start from; leave it out/],
    [start, { promptHidden: 8 }, /promptHidden is 8 in the config and 4 in/],
    [
      start,
      { contextTokens: 900 },
      /contextTokens is 900 in the config, and .* positions for \d+ tokens beside 3 prompts/,
    ],
    [{ ...start, saved: untied }, { tied: true }, /tied is true in the config, .* has heads of its own/],
  ];
  for (const [model, changes, message] of cases)
    await t.throwsAsync(() => fromModel(model, data, changes), { name: 'InvalidConfig', message });
});
