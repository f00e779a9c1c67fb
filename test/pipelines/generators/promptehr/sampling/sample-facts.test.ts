import test from 'ava';
import { fitFeatures, promptsOf } from '../../../../../pipelines/generators/promptehr/records/features.ts';
import { fitMarginals } from '../../../../../pipelines/generators/promptehr/records/marginals.ts';
import { sampleFacts } from '../../../../../pipelines/generators/promptehr/sampling/sample-facts.ts';
import { RandomSource } from '../../../../../pipelines/kernel/random.ts';
import type { Demographic, VisitColumns } from '../../../../../pipelines/patients/visit-columns.ts';

const all = { numeric: 'all', categorical: 'all', labels: 'all' } as const;
const sexes = ['F', 'M'];

/** Women are about 80 with label 0, men about 30 without; who is odd-numbered has two visits. */
const cohort = (patients = 400, known = true) => {
  const random = new RandomSource(5, 'order');
  const uniforms = new Float64Array(2 * patients);
  random.fill(uniforms, 0, 2 * patients, 0);
  const ids = Array.from({ length: patients }, (_, p) => p);
  const woman = (p: number) => (uniforms[2 * p] as number) < 0.3;
  const age = (p: number) => (woman(p) ? 78 : 28) + Math.floor((uniforms[2 * p + 1] as number) * 5);
  const values = Float32Array.from(ids, (p) => (known || p % 10 > 0 ? age(p) : Number.NaN));
  const demographics: Record<string, Demographic> = {
    age: { kind: 'numeric', values },
    sex: { kind: 'categorical', levels: sexes, values: Int32Array.from(ids, (p) => (woman(p) ? 0 : 1)) },
    rare: {
      kind: 'categorical',
      levels: ['one', 'usual', 'few'],
      values: Int32Array.from(ids, (p) => (p === 0 ? 0 : p < 9 ? 2 : p < 100 ? -1 : 1)),
    },
  };
  const visitOffsets = [0];
  for (const p of ids) visitOffsets.push((visitOffsets.at(-1) as number) + 1 + (p % 2));
  const visits = visitOffsets.at(-1) as number;
  const train: VisitColumns = {
    visitOffsets: Int32Array.from(visitOffsets),
    codeOffsets: Int32Array.from({ length: visits + 1 }, (_, visit) => visit),
    codes: new Int32Array(visits),
    labels: Uint8Array.from(ids.flatMap((p) => [woman(p) ? 1 : 0, p < 3 ? 1 : 0])),
    demographics,
  };
  const vocabulary = { codes: [{ modality: 'dx' as const, code: 'a' }], labels: ['first', 'scarce'] };
  const features = fitFeatures({ train, vocabulary }, all);
  const marginals = fitMarginals(train, Int32Array.from(ids), features, 2);
  return { train, vocabulary, features, marginals };
};

const share = (values: ArrayLike<number>, test: (value: number, i: number) => boolean) =>
  Array.from(values).filter(test).length / values.length;
const near = (a: number, b: number, within: number) => Math.abs(a - b) < within;

test('scales and levels come from the training split; what few patients have is unknown', (t) => {
  const { features, train } = cohort();
  t.deepEqual(
    features.categorical,
    [
      { name: 'sex', levels: ['F', 'M'] },
      { name: 'rare', levels: ['usual'] },
    ],
    'one and eight patients are no level',
  );
  t.deepEqual(features.labels, [0, 1]);
  const ages = train.demographics?.['age']?.values as Float32Array;
  const { numeric, categories } = promptsOf(features, train, [0, 50, 399]);
  const mean = ages.reduce((sum, age) => sum + age, 0) / 400;
  t.true(
    near((ages[50] as number) - mean, (numeric[1] as number) * (features.numeric[0]?.deviation ?? 0), 1e-4),
  );
  t.deepEqual([...categories.filter((_, i) => i % 4 === 1)], [-1, -1, 0]);
  t.deepEqual([categories[2], categories[3]], [train.labels[0], 1]);
});

test('another cohort is read by the names of its levels; missing facts are unknown', (t) => {
  const { features } = cohort();
  const facts = {
    visitOffsets: Int32Array.of(0, 1, 2),
    labels: Uint8Array.of(0, 1, 1, 0),
    demographics: {
      sex: { kind: 'categorical' as const, levels: ['X', 'M', 'F'], values: Int32Array.of(2, 0) },
    },
  };
  const { numeric, categories } = promptsOf(features, facts, [0, 1]);
  t.deepEqual([...numeric], [Number.NaN, Number.NaN]);
  t.deepEqual([...categories], [0, -1, 0, 1, -1, -1, 1, 0]);
  const wrong = {
    ...facts,
    demographics: { sex: { kind: 'numeric' as const, values: new Float32Array(2) } },
  };
  t.throws(() => promptsOf(features, wrong, [0]), { name: 'InvalidConfig', message: /sex was categorical/ });
});

test('prompts are chosen by name, and a wrong name is an error', (t) => {
  const { train, vocabulary } = cohort();
  const some = fitFeatures({ train, vocabulary }, { numeric: [], categorical: ['sex'], labels: ['scarce'] });
  t.deepEqual(some, { numeric: [], categorical: [{ name: 'sex', levels: sexes }], labels: [1] });
  t.throws(() => fitFeatures({ train, vocabulary }, { ...all, numeric: ['weight'] }), {
    name: 'InvalidConfig',
    message: /prompts.numeric names weight; the cohort has age/,
  });
});

test('facts that go together are sampled together', (t) => {
  const { features, marginals } = cohort();
  const { visits, labels, demographics } = sampleFacts(
    { features, marginals },
    { first: 0, count: 4000, seed: 2 },
  );
  const sex = demographics['sex']?.values as Int32Array;
  const age = demographics['age']?.values as Float32Array;
  t.true(
    near(
      share(sex, (level) => level === 0),
      0.3,
      0.05,
    ),
  );
  t.is(
    share(sex, (level, i) => (level === 0) === (age[i] as number) > 50),
    1,
  );
  t.is(
    share(sex, (level, i) => (level === 0 ? 1 : 0) === labels[2 * i]),
    1,
  );
  t.true(
    near(
      share(visits, (count) => count === 2),
      0.5,
      0.03,
    ),
  );
  t.true(visits.every((count) => count === 1 || count === 2));
  t.true(age.every((value) => Number.isInteger(value)));
  t.true(
    near(
      share(demographics['rare']?.values ?? [], (level) => level === -1),
      0.25,
      0.04,
    ),
  );
});

test('a label of three patients is stored as one of any one to nine, and hangs on nothing', (t) => {
  const { facts } = cohort().marginals;
  const scarce = facts.find(({ about }) => about.kind === 'label' && about.label === 1);
  t.is(scarce?.parent, -1);
  t.true(near(scarce?.shares[1] as number, 5 / 400, 1e-12));
});

test('what is requested is given, and the rest is sampled accordingly', (t) => {
  const { features, marginals } = cohort(400, false);
  const request = { first: 0, count: 500, seed: 4 };
  const labels = Uint8Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? 1 : 255));
  const women = sampleFacts({ features, marginals }, { ...request, labels });
  t.true(share(women.demographics['sex']?.values ?? [], (level) => level === 0) > 0.97);
  t.true(share(women.demographics['age']?.values ?? [], (age) => age > 50 || Number.isNaN(age)) > 0.97);
  t.true(near(share(women.demographics['age']?.values ?? [], Number.isNaN), 0.1, 0.05));
  const values = Float32Array.from({ length: 500 }, (_, i) => (i < 250 ? 81.5 : Number.NaN));
  const old = sampleFacts(
    { features, marginals },
    { ...request, demographics: { age: { kind: 'numeric', values } } },
  );
  t.true(old.demographics['age']?.values.subarray(0, 250).every((age) => age === 81.5));
  t.true(share(old.demographics['sex']?.values.subarray(0, 250) ?? [], (level) => level === 0) > 0.97);
  t.true(
    near(
      share(old.demographics['sex']?.values.subarray(250) ?? [], (level) => level === 0),
      0.3,
      0.1,
    ),
  );
  const contradiction = {
    labels: Uint8Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? 1 : 0)),
    demographics: {
      sex: { kind: 'categorical' as const, levels: ['M'], values: new Int32Array(500) },
    },
  };
  const men = sampleFacts({ features, marginals }, { ...request, ...contradiction });
  t.true(men.demographics['sex']?.values.every((level) => level === 1));
  t.true(men.labels.every((label, i) => label === (i % 2 === 0 ? 1 : 0)));
});

test('a fact or level that the model does not have is an error', (t) => {
  const { features, marginals } = cohort();
  const asking = (demographics: Record<string, Demographic>) => () =>
    sampleFacts({ features, marginals }, { first: 0, count: 1, seed: 1, demographics });
  const level = { kind: 'categorical' as const, levels: ['few'], values: new Int32Array(1) };
  t.throws(asking({ rare: level }), { name: 'InvalidConfig', message: /no rare "few".*model has usual/ });
  t.throws(asking({ weight: level }), {
    name: 'InvalidConfig',
    message: /weight is no prompt.*age, sex, rare/,
  });
  t.throws(asking({ age: level }), {
    name: 'InvalidConfig',
    message: /age is a number, a level was requested/,
  });
});

test('a patient is the same in any request', (t) => {
  const { features, marginals } = cohort();
  const whole = sampleFacts({ features, marginals }, { first: 0, count: 20, seed: 7 });
  const part = sampleFacts({ features, marginals }, { first: 15, count: 5, seed: 7 });
  t.deepEqual(part.visits, whole.visits.slice(15));
  t.deepEqual(part.labels, whole.labels.slice(30));
  t.deepEqual(part.demographics['age']?.values, whole.demographics['age']?.values.slice(15));
});

test('visit numbers beyond those many patients share are geometric about their mean', (t) => {
  const { train, features } = cohort();
  const visitOffsets = Int32Array.from({ length: 401 }, (_, p) => p + Math.max(0, p - 380) * 9);
  const marginals = fitMarginals(
    { ...train, visitOffsets },
    Int32Array.from({ length: 400 }, (_, p) => p),
    features,
    2,
  );
  const { visits } = sampleFacts({ features, marginals }, { first: 0, count: 20_000, seed: 1 });
  const beyond = visits.filter((count) => count > 1);
  t.true(near(beyond.length / 20_000, 0.05, 0.01));
  t.true(near(beyond.reduce((sum, count) => sum + count, 0) / beyond.length, 10, 0.8));
  t.true(new Set(beyond).size > 20, 'no record length is copied');
});
