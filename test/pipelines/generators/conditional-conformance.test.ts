import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import {
  type Capability,
  capabilitiesOf,
  type Generator,
  type ImputeRequest,
  type Sampler,
  type TrainingData,
} from '../../../pipelines/generation/generator.ts';
import { generators } from '../../../pipelines/generators/registry.ts';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import { deviceArrays } from '../../../pipelines/nn/ops/open-ops.ts';
import { patientCount, type VisitColumns, visitCount } from '../../../pipelines/patients/visit-columns.ts';
import { type TokenKind, tokenKinds } from '../../../schemas/ehr.ts';
import { planted, quickSettings } from './planted-cohort.ts';

const plain = planted();
const kinds: TokenKind[] = ['dx', 'px', 'rx'];
const data = {
  ...plain,
  vocabulary: {
    ...plain.vocabulary,
    codes: plain.vocabulary.codes.map((code, i) => ({ ...code, modality: kinds[i % 3] ?? 'dx' })),
  },
};
const { validation: held } = data;
const kindOf = (code: number) => data.vocabulary.codes[code]?.modality;

const opened = async (generator: Generator, on: TrainingData = data): Promise<Sampler> => {
  const config = generator.config.parse(quickSettings[generator.name] ?? {});
  const fitting = await generator.fit(on, config, 1);
  for (let step = 0; step < 6 && !fitting.finished; step++) await fitting.step();
  const saved = await fitting.model();
  fitting.dispose();
  return generator.open(saved, config, data.vocabulary);
};

test.before(() => startBackend());

const able = (capability: Capability) =>
  [...generators].filter(([, generator]) => capabilitiesOf(generator).includes(capability));

for (const [name, generator] of generators)
  test.serial(`${name}: its sampler can do what the generator declares, and nothing else`, async (t) => {
    const sampler = await opened(generator);
    for (const capability of ['score', 'conditional', 'impute'] as const)
      t.is(sampler[capability] !== undefined, generator.capabilities.includes(capability), capability);
    sampler.dispose();
  });

for (const [name, generator] of able('score'))
  test.serial(`${name}: scores every patient with a probability, the same again`, async (t) => {
    const sampler = await opened(generator);
    const score = () => drainAsync(sampler.score?.(held) ?? t.fail());
    const scores = await score();
    t.is(scores.logProbability.length, patientCount(held));
    scores.logProbability.forEach((log, patient) => {
      t.true(log <= 0, `${log}`);
      t.true((scores.positives[patient] as number) <= (scores.cells[patient] as number));
    });
    t.deepEqual(await score(), scores);
    sampler.dispose();
  });

for (const [name, generator] of able('conditional'))
  test.serial(`${name}: gives the loss of each visit's codes, the same again`, async (t) => {
    const sampler = await opened(generator);
    const ask = () => drainAsync(sampler.conditional?.(held) ?? t.fail());
    const scores = await ask();
    const cells = visitCount(held) * tokenKinds.length;
    for (const losses of [scores.longitudinal, scores.crossModal]) {
      t.is(losses.length, cells);
      losses.forEach((loss, i) => {
        t.true(loss >= 0 && (scores.codes[i] !== 0 || loss === 0), `${loss} for ${scores.codes[i]} codes`);
      });
    }
    const counts = new Int32Array(cells);
    for (let visit = 0; visit < visitCount(held); visit++)
      for (const code of held.codes.subarray(held.codeOffsets[visit], held.codeOffsets[visit + 1])) {
        const at = visit * tokenKinds.length + tokenKinds.indexOf(kindOf(code) ?? 'dx');
        counts[at] = (counts[at] as number) + 1;
      }
    t.deepEqual(scores.codes, counts);
    t.is(scores.reference?.crossModal.length ?? held.codes.length, held.codes.length);
    const before = deviceArrays();
    t.deepEqual(await ask(), scores, 'the same again');
    t.is(deviceArrays(), before, 'nothing stays on the device');
    sampler.dispose();
  });

for (const [name, generator] of able('impute'))
  test.serial(`${name}: fills records in, well formed and the same again`, async (t) => {
    const sampler = await opened(generator);
    const ask = (request: Partial<ImputeRequest>) =>
      drainAsync(sampler.impute?.({ columns: held, task: 'completion', ...request }) ?? t.fail());
    const requests: Partial<ImputeRequest>[] = [
      { task: 'completion' },
      { task: 'next-visit', kinds: ['rx'], top: 2 },
      { task: 'cross-modal', kinds: ['px'], top: 3 },
    ];
    for (const request of requests) {
      const found = await ask(request);
      const { patient, visit, code, probability } = found;
      t.true(code.length > 0);
      const perVisit = new Map<string, number>();
      code.forEach((token, i) => {
        const p = patient[i] as number;
        const length = (held.visitOffsets[p + 1] as number) - (held.visitOffsets[p] as number);
        t.true(p >= 0 && p < patientCount(held));
        t.true(request.task === 'next-visit' ? visit[i] === length : (visit[i] as number) < length);
        t.true((probability[i] as number) > 0 && (probability[i] as number) <= 1);
        t.true(request.kinds?.includes(kindOf(token) ?? 'dx') ?? true);
        const own = (held.visitOffsets[p] as number) + (visit[i] as number);
        const known = held.codes.subarray(held.codeOffsets[own], held.codeOffsets[own + 1]);
        if (request.task === 'completion') t.false(known.includes(token));
        const key = `${p} ${visit[i]}`;
        perVisit.set(key, (perVisit.get(key) ?? 0) + 1);
        const isSame = patient[i - 1] === p && visit[i - 1] === visit[i];
        if (isSame) t.true((probability[i] as number) <= (probability[i - 1] as number));
      });
      if (request.top) t.true([...perVisit.values()].every((count) => count <= (request.top ?? 0)));
      t.deepEqual(await ask(request), found, 'the same again');
    }
    sampler.dispose();
  });

/** `held` with one fact for every patient. */
const aged = (age: number): VisitColumns => ({
  ...held,
  demographics: { age: { kind: 'numeric', values: new Float32Array(patientCount(held)).fill(age) } },
});

for (const [name, generator] of able('demographics'))
  test.serial(`${name}: demographics that are asked for are given`, async (t) => {
    const { demographics } = aged(40);
    const train = {
      ...data.train,
      demographics: {
        age: {
          kind: 'numeric' as const,
          values: new Float32Array(patientCount(data.train)).map((_, i) => 30 + i),
        },
      },
    };
    const sampler = await opened(generator, { ...data, train, validation: aged(50) });
    t.is(sampler.features?.['age'], 'numeric');
    const count = patientCount(held);
    const columns = await sampler.sample({ first: 0, count, seed: 1, demographics });
    t.deepEqual(columns.demographics?.['age'], demographics?.['age']);
    sampler.dispose();
  });

for (const [name, generator] of able('seeds'))
  test.serial(`${name}: patients built around real ones have as many visits as those`, async (t) => {
    const sampler = await opened(generator);
    const count = patientCount(held);
    const columns = await sampler.sample({ first: 0, count, seed: 1, seeds: held });
    t.deepEqual(columns.visitOffsets, held.visitOffsets);
    t.notDeepEqual(columns.codes, held.codes);
    sampler.dispose();
  });
