import test from 'ava';
import { copiedCodes } from '../../../../../pipelines/generation/copied-codes.ts';
import { drawnLabel } from '../../../../../pipelines/generation/generator.ts';
import type { PromptNetwork } from '../../../../../pipelines/generators/promptehr/network/network.ts';
import { packSequences } from '../../../../../pipelines/generators/promptehr/network/sequences.ts';
import { promptsOf } from '../../../../../pipelines/generators/promptehr/records/features.ts';
import type { PromptModel } from '../../../../../pipelines/generators/promptehr/records/prompt-model.ts';
import {
  allowedOutputs,
  spanRules,
} from '../../../../../pipelines/generators/promptehr/records/span-grammar.ts';
import {
  contextStream,
  spanSteps,
  visitStream,
} from '../../../../../pipelines/generators/promptehr/records/streams.ts';
import {
  logSoftmax,
  promptSampling,
} from '../../../../../pipelines/generators/promptehr/sampling/decoding.ts';
import { coldStart } from '../../../../../pipelines/generators/promptehr/sampling/record-plans.ts';
import {
  PromptSampler,
  patientBlock,
} from '../../../../../pipelines/generators/promptehr/sampling/sampler.ts';
import { writeRecords } from '../../../../../pipelines/generators/promptehr/sampling/write-records.ts';
import {
  patientCount,
  selectPatients,
  type VisitColumns,
} from '../../../../../pipelines/patients/visit-columns.ts';
import { toyModel, toyVocabulary } from '../toy.ts';

const { network, model, cohort } = await toyModel();
const sampler = new PromptSampler(network, model);
const base = { first: 0, count: 80, seed: 5 };
const kindOf = (code: number) => toyVocabulary.codes[code]?.modality;

test.serial('whatever the weights, records are well formed', async (t) => {
  const shuffled = await toyModel('shuffled');
  for (const [own, { settings, ...rest }] of [
    [network, model],
    [shuffled.network, shuffled.model],
  ] as [PromptNetwork, PromptModel][])
    for (const given of [
      {},
      { method: 'greedy' },
      { temperature: 5 },
      { method: 'beam' },
      { spanCodes: 2 },
    ]) {
      const sampling = promptSampling.parse(given);
      const { plan, facts } = coldStart({ ...rest, settings }, sampling, base);
      const records = await writeRecords(own, { ...rest, settings }, sampling, plan, base);
      t.deepEqual(
        records.map(({ length }) => length),
        [...facts.visits],
      );
      for (const visits of records)
        for (const [visit, codes] of visits.entries()) {
          t.is(new Set(codes).size, codes.length, 'no code twice');
          t.true(codes.every((code) => code >= 0 && code < 11));
          const gaps = codes.filter((code) => kindOf(code) === 'gap').length;
          t.true(codes.length > gaps, 'a visit has a code');
          t.true(gaps <= (visit === 0 ? 0 : 1));
          if (sampling.spanCodes) t.true(codes.filter((code) => kindOf(code) === 'dx').length <= 2);
        }
    }
  shuffled.network.dispose();
});

/** ln probability of each set of codes of a kind after a context, under the grammar, by teacher forcing. */
const spanLogs = async (
  context: number[],
  kind: number,
  prompts: ReturnType<typeof promptsOf>,
  least: number,
): Promise<Map<string, number>> => {
  const { streams } = model;
  const codes = [...streams.kindOf.keys()].filter((code) => streams.kindOf[code] === kind);
  const sets = Array.from({ length: 2 ** codes.length }, (_, bits) =>
    codes.filter((_, i) => ((bits >> i) & 1) === 1),
  ).filter(({ length }) => length >= least);
  const spans = sets.map((set) => spanSteps(streams, kind, set));
  const logits = await network.logits({
    contexts: packSequences([context]),
    spans: packSequences(spans.map(({ inputs }) => inputs)),
    sources: new Int32Array(sets.length),
    heads: new Int32Array(sets.length).fill(kind),
    targets: Int32Array.from(spans.flatMap(({ targets }) => targets)),
    ...prompts,
  });
  const rules = spanRules({ outputs: codes.length + 1, order: 'canonical', least });
  let row = 0;
  return new Map(
    sets.map((set, i) => {
      let log = 0;
      const said: number[] = [];
      for (const target of spans[i]?.targets ?? []) {
        log += logSoftmax(logits[row++] as Float32Array, allowedOutputs(rules, said))[target] as number;
        said.push(target);
      }
      return [`${set}`, log];
    }),
  );
};

/** χ² of counted sets against their probabilities, rare ones together; and its degrees of freedom. */
const chiSquare = (drawn: string[], logs: Map<string, number>): { squares: number; freedom: number } => {
  let [squares, freedom, rareFound, rareExpected] = [0, -1, 0, 0];
  for (const [set, log] of logs) {
    const expected = drawn.length * Math.exp(log);
    const found = drawn.filter((other) => other === set).length;
    if (expected < 5) {
      rareFound += found;
      rareExpected += expected;
      continue;
    }
    squares += (found - expected) ** 2 / expected;
    freedom++;
  }
  if (rareExpected > 1) squares += (rareFound - rareExpected) ** 2 / rareExpected;
  return { squares, freedom: freedom + (rareExpected > 1 ? 1 : 0) };
};

test.serial('sampled frequencies are the teacher-forced probabilities, span after span', async (t) => {
  const count = 1500;
  const demographics = {
    age: { kind: 'numeric' as const, values: new Float32Array(count).fill(64) },
    sex: { kind: 'categorical' as const, levels: ['F', 'M'], values: new Int32Array(count) },
  };
  const labels = Uint8Array.from({ length: 2 * count }, (_, i) => i % 2);
  const sampling = promptSampling.parse({});
  const { plan, facts } = coldStart(model, sampling, { first: 0, count, seed: 8, labels, demographics });
  t.deepEqual(facts.labels, labels);
  t.deepEqual(facts.demographics, demographics);
  const single = { ...plan, visits: new Int32Array(count).fill(1) };
  const records = await writeRecords(network, model, sampling, single, { seed: 8, first: 0 });
  const of = (kind: string) => records.map(([codes = []]) => codes.filter((code) => kindOf(code) === kind));
  const prompts = promptsOf(model.features, { visitOffsets: Int32Array.of(0, 1), labels, demographics }, [0]);
  // Mean f, standard deviation √(2f): within four of them.
  const fits = ({ squares, freedom }: ReturnType<typeof chiSquare>) =>
    freedom >= 3 && Math.abs(squares - freedom) < 4 * Math.sqrt(2 * freedom);
  const dx = of('dx').map(String);
  const first = chiSquare(dx, await spanLogs(contextStream([], 40).tokens, 0, prompts, 0));
  t.true(fits(first), `diagnoses: χ² ${first.squares} of ${first.freedom}`);

  const times = (set: string) => dx.filter((other) => other === set).length;
  const commonest = [...new Set(dx)].reduce((a, b) => (times(b) > times(a) ? b : a));
  const same = [...dx.keys()].filter((patient) => dx[patient] === commonest);
  const told = visitStream(model.streams, [of('dx')[same[0] as number], undefined, undefined, undefined]);
  const px = of('px').map(String);
  const second = chiSquare(
    same.map((patient) => px[patient] as string),
    await spanLogs(contextStream([told], 40).tokens, 1, prompts, 0),
  );
  t.true(fits(second), `procedures: χ² ${second.squares} of ${second.freedom}`);
});

const samplings = [{}, { topK: 3, temperature: 0.7 }, { method: 'beam', beams: 3 }];
test.serial('a patient is the same in any batch and from any first', async (t) => {
  for (const sampling of samplings) {
    const whole = await sampler.sample({ first: 200, count: 100, seed: 5, sampling });
    t.is(patientCount(whole), 100);
    for (const [first, count] of [
      [203, 1],
      [250, 10],
    ] as const) {
      const part = await sampler.sample({ first, count, seed: 5, sampling });
      const indices = Array.from({ length: count }, (_, i) => first - 200 + i);
      t.deepEqual(part, selectPatients(whole, indices));
    }
  }
  t.notDeepEqual(
    (await sampler.sample({ ...base, seed: 6 })).codes,
    (await sampler.sample(base)).codes,
    'another seed, other patients',
  );
});

test.serial('greedy and beam use no random numbers: equal facts, equal records', async (t) => {
  const count = 10;
  const demographics = {
    age: { kind: 'numeric' as const, values: new Float32Array(count).fill(50) },
    sex: { kind: 'categorical' as const, levels: ['F', 'M'], values: new Int32Array(count).fill(1) },
  };
  const labels = new Uint8Array(2 * count);
  for (const method of ['greedy', 'beam']) {
    const asked = { first: 0, count, demographics, labels, sampling: { method } };
    const drawn = await sampler.sample({ ...asked, seed: 1 });
    const other = await sampler.sample({ ...asked, seed: 2 });
    const firstVisit = (columns: VisitColumns, p: number) => {
      const visit = columns.visitOffsets[p] as number;
      return columns.codes.slice(columns.codeOffsets[visit], columns.codeOffsets[visit + 1]);
    };
    for (let p = 0; p < count; p++) t.deepEqual(firstVisit(drawn, p), firstVisit(other, 0));
  }
});

test.serial('requested facts are given, the others sampled as they are among real patients', async (t) => {
  const count = 256;
  const labels = Uint8Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? 1 : drawnLabel));
  const drawn = await sampler.sample({ first: 0, count, seed: 3, labels });
  t.true(drawn.labels.every((label, i) => label === (i % 2 === 0 ? 1 : label === 1 ? 1 : 0)));
  const second = drawn.labels.filter((_, i) => i % 2 === 1).reduce((sum, label) => sum + label, 0) / count;
  t.true(Math.abs(second - 0.3) < 0.1, `${second}`);
  const sex = drawn.demographics?.['sex'];
  t.true(sex?.kind === 'categorical' && sex.values.every((level) => sex.levels[level] === 'F'));
  await t.throwsAsync(
    sampler.sample({
      first: 0,
      count: 1,
      seed: 0,
      demographics: { sex: { kind: 'categorical', levels: ['X'], values: Int32Array.of(0) } },
    }),
    { name: 'InvalidConfig' },
  );
  t.is(patientCount(await sampler.sample({ ...base, count: 1 })), 1, 'a refused request blocks nobody');
});

test.serial(
  'unconditional sampling copies no more than independence would; a warm start half of every visit',
  async (t) => {
    const count = patientCount(cohort);
    const cold = copiedCodes(await sampler.sample({ first: 0, count, seed: 1 }), cohort, 11);
    t.true(Math.abs(cold.fraction - cold.byChance) < 0.03, `${cold.fraction} by chance ${cold.byChance}`);

    const warm = await sampler.sample({ first: 0, count, seed: 1, seeds: cohort });
    const { fraction, byChance } = copiedCodes(warm, cohort, 11);
    t.true(fraction > 0.5 && fraction > byChance + 0.1, `${fraction} by chance ${byChance}`);
    t.deepEqual(warm.visitOffsets, cohort.visitOffsets);
    t.deepEqual(warm.codeOffsets, cohort.codeOffsets, 'as many codes in every visit');
    t.deepEqual(warm.demographics, cohort.demographics);
    t.deepEqual(warm.labels, cohort.labels);
    t.notDeepEqual(warm.codes, cohort.codes);
  },
);

test('a wide model has small blocks', (t) => {
  const widths = [16, 128, 192, 256, 768, 4096];
  t.deepEqual(
    widths.map((width) => patientBlock({ width })),
    [256, 256, 256, 128, 64, 16],
  );
});

test.serial('nothing is left on the device', async (t) => {
  const before = network.ops.held;
  for (const sampling of samplings) await sampler.sample({ ...base, count: 3, sampling });
  await sampler.sample({ first: 0, count: 3, seed: 1, seeds: selectPatients(cohort, [0, 1, 2]) });
  t.is(network.ops.held, before);
});
