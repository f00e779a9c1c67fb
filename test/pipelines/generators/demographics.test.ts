import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import { learnedFacts, learnFacts, smallestGroup } from '../../../pipelines/generation/fact-columns.ts';
import { drawnLabel, type SampleRequest, type Sampler } from '../../../pipelines/generation/generator.ts';
import { generators } from '../../../pipelines/generators/registry.ts';
import type { Saved } from '../../../pipelines/kernel/checkpointable.ts';
import { decodeSaved, encodeSaved } from '../../../pipelines/kernel/safetensors.ts';
import { drainAsync } from '../../../pipelines/kernel/steps.ts';
import {
  type Demographic,
  patientCount,
  selectPatients,
  type VisitColumns,
} from '../../../pipelines/patients/visit-columns.ts';
import { plantedPeople, quickSettings } from './planted-cohort.ts';

const data = plantedPeople(400);
const names = ['halo', 'halo-coarse', 'lstm', 'marginal'];

/** Between the ranges of age, the same in all models. */
const ageEdges = learnFacts('test', data.train, ['age']).flatMap((own) =>
  own.kind === 'numeric' ? own.edges.slice(1, -1) : [],
);

/** Trained on the planted people; halo and its kin start from the prevalences and are calibrated. */
const settingsOf = (name: string, more: object = {}): object => ({
  ...(name === 'marginal' ? {} : { ...(quickSettings[name] as object), epochs: 40, start: 'prevalence' }),
  ...more,
});

const generatorOf = (name: string) => generators.get(name) ?? Promise.reject(new Error(name));

const fitted = async (name: string, more: object = {}): Promise<{ saved: Saved; sampler: Sampler }> => {
  const generator = await generatorOf(name);
  const config = generator.config.parse(settingsOf(name, more));
  const fitting = await generator.fit(data, config, 1);
  while (!fitting.finished) await fitting.step();
  const saved = await fitting.model();
  fitting.dispose();
  return { saved, sampler: await generator.open(saved, config, data.vocabulary) };
};

const models = new Map<string, ReturnType<typeof fitted>>();
const modelOf = (name: string): ReturnType<typeof fitted> => {
  const made = models.get(name) ?? fitted(name);
  models.set(name, made);
  return made;
};

test.before(() => startBackend());

/** Per patient the fact's level, `?` where it is unknown; a number is the range that it is in. */
const valuesOf = ({ demographics }: VisitColumns, name: string): string[] => {
  const fact = demographics?.[name] as Demographic;
  if (fact.kind === 'categorical') return Array.from(fact.values, (level) => fact.levels[level] ?? '?');
  return Array.from(fact.values, (value) => `${ageEdges.filter((edge) => edge <= value).length}`);
};

const sharesOf = (values: readonly string[]): Map<string, number> => {
  const shares = new Map<string, number>();
  for (const value of values) shares.set(value, (shares.get(value) ?? 0) + 1 / values.length);
  return shares;
};

const between = (a: Map<string, number>, b: Map<string, number>): number =>
  [...new Set([...a.keys(), ...b.keys()])].reduce(
    (sum, key) => sum + Math.abs((a.get(key) ?? 0) - (b.get(key) ?? 0)),
    0,
  ) / 2;

const where = (columns: VisitColumns, test: (patient: number) => boolean): VisitColumns =>
  selectPatients(columns, Array.from({ length: patientCount(columns) }, (_, p) => p).filter(test));

const level = (name: string, value: string, count: number): Record<string, Demographic> => ({
  [name]: { kind: 'categorical', levels: [value], values: new Int32Array(count) },
});

const asking = (count: number, more: Partial<SampleRequest>): SampleRequest => ({
  first: 0,
  count,
  seed: 5,
  ...more,
});

/** The training patients as a model sees them: rare levels are unknown. */
const seen = (values: string[]): string[] => values.map((value) => (value === 'of four' ? '?' : value));

for (const name of names) {
  test.serial(`${name}: sampled facts have the training prevalences`, async (t) => {
    const { sampler } = await modelOf(name);
    const columns = await sampler.sample(asking(4000, {}));
    t.deepEqual(Object.keys(columns.demographics ?? {}), ['sex', 'age', 'ethnicity']);
    for (const fact of ['sex', 'age', 'ethnicity']) {
      const distance = between(sharesOf(valuesOf(columns, fact)), sharesOf(seen(valuesOf(data.train, fact))));
      // Calibrated by samples of 1,024.
      t.true(distance < (name === 'marginal' ? 0.025 : 0.08), `${fact}: ${distance}`);
    }
    const ages = columns.demographics?.['age']?.values as Float32Array;
    const known = ages.filter((age) => !Number.isNaN(age));
    t.true(known.length > 0.99 * ages.length);
    t.true(known.every((age) => Number.isInteger(age) && age >= 20 && age < 90));
  });

  test.serial(`${name}: what is asked is given: facts one by one, together, and with labels`, async (t) => {
    const { sampler } = await modelOf(name);
    const count = 40;
    const age: Demographic = { kind: 'numeric', values: new Float32Array(count).fill(67) };
    for (const demographics of [
      level('sex', 'F', count),
      level('ethnicity', 'other', count),
      { age },
      { ...level('sex', 'M', count), ...level('ethnicity', 'common', count), age },
    ]) {
      for (const labels of [
        undefined,
        Uint8Array.from({ length: 2 * count }, (_, i) => (i % 2 ? 1 : drawnLabel)),
      ]) {
        const columns = await sampler.sample(asking(count, { demographics, labels }));
        for (const [fact, asked] of Object.entries(demographics)) {
          const own = columns.demographics?.[fact] as Demographic;
          const wanted = asked.kind === 'numeric' ? '67' : (asked.levels[0] as string);
          t.deepEqual(
            new Set(valuesOf(columns, fact)),
            new Set([wanted === '67' ? valuesOf({ ...columns, demographics }, fact)[0] : wanted]),
          );
          if (own.kind === 'numeric') t.true(own.values.every((value) => value === 67));
        }
        if (labels) t.true(columns.labels.every((label, i) => i % 2 === 0 || label === 1));
        t.is(columns.labels.length, 2 * count);
      }
    }
  });

  test.serial(
    `${name}: a fact or level that the model does not have is an error that names what it has`,
    async (t) => {
      const { sampler } = await modelOf(name);
      const refused = (demographics: Record<string, Demographic>, message: RegExp) =>
        t.throwsAsync(sampler.sample(asking(1, { demographics })), { name: 'InvalidConfig', message });
      await refused(level('sex', 'X', 1), /sex.*"X".*there are: F, M/);
      await refused(
        level('ethnicity', 'of four', 1),
        /there are: common, other.*fewer than 10 training patients/,
      );
      await refused(level('hair', 'red', 1), /there are: sex, age, ethnicity/);
      await refused(level('age', 'old', 1), /expected a number/);
      await refused({ sex: { kind: 'numeric', values: new Float32Array(1) } }, /expected one of F, M/);
    },
  );

  test.serial(`${name}: without demographics none are learned, and none can be asked`, async (t) => {
    const { saved, sampler } = await fitted(name, { demographics: false });
    t.is(saved.json['facts'], undefined);
    t.is((await sampler.sample(asking(3, {}))).demographics, undefined);
    await t.throwsAsync(sampler.sample(asking(1, { demographics: level('sex', 'F', 1) })), {
      message: /there are none/,
    });
    sampler.dispose();
    const generator = await generatorOf(name);
    await t.throwsAsync(
      async () => generator.fit(data, generator.config.parse(settingsOf(name, { demographics: ['sx'] })), 1),
      { name: 'InvalidConfig', message: /did you mean sex\?/ },
    );
  });

  test.serial(`${name}: a patient is the same in one request or in two, asked facts included`, async (t) => {
    const { sampler } = await modelOf(name);
    const ask = (first: number, count: number) =>
      sampler.sample(asking(count, { first, demographics: level('ethnicity', 'other', count) }));
    const [whole, second] = [await ask(0, 30), await ask(12, 18)];
    t.deepEqual(
      second,
      where(whole, (patient) => patient >= 12),
    );
  });

  test.serial(`${name}: the probabilities of all facts and labels add up to one`, async (t) => {
    const { saved, sampler } = await modelOf(name);
    const facts = learnedFacts.parse(saved.json['facts']);
    const rows: Record<string, number>[] = facts.reduce<Record<string, number>[]>(
      (all, own) => {
        const values =
          own.kind === 'categorical'
            ? [-1, ...own.levels.keys()]
            : [Number.NaN, ...own.edges.slice(0, -1).map((edge) => edge / 10 ** own.decimals)];
        return all.flatMap((row) => values.map((value) => ({ ...row, [own.name]: value })));
      },
      [{}],
    );
    const one = where(data.validation, (patient) => patient === 3);
    const count = 4 * rows.length;
    const repeated = selectPatients(one, new Int32Array(count));
    const columns = {
      ...repeated,
      labels: Uint8Array.from({ length: 2 * count }, (_, i) => (((i >> 1) % 4) >> (i % 2)) & 1),
      demographics: Object.fromEntries(
        facts.map((own): [string, Demographic] => {
          const values = Array.from({ length: count }, (_, i) => rows[i >> 2]?.[own.name] as number);
          return [
            own.name,
            own.kind === 'numeric'
              ? { kind: 'numeric', values: Float32Array.from(values) }
              : { kind: 'categorical', levels: own.levels, values: Int32Array.from(values) },
          ];
        }),
      ),
    };
    const total = async (of: Sampler, cohort: VisitColumns) =>
      (await drainAsync(of.score?.(cohort) ?? t.fail())).logProbability.reduce(
        (p, log) => p + Math.exp(log),
        0,
      );
    if (name === 'marginal') {
      // Its codes do not depend on facts: all together have the probability of the visits.
      const { sampler: plain } = await fitted(name, { demographics: false });
      const four = selectPatients(columns, [0, 1, 2, 3]);
      const expected = await total(plain, four);
      t.true(Math.abs((await total(sampler, columns)) / expected - 1) < 1e-9);
      return;
    }
    // A record without visits has the probability of its labels alone.
    const empty = {
      ...columns,
      visitOffsets: new Int32Array(count + 1),
      codeOffsets: new Int32Array(1),
      codes: new Int32Array(0),
    };
    const sum = await total(sampler, empty);
    t.true(Math.abs(sum - 1) < 1e-5, `${sum}`);
  });

  test.serial(
    `${name}: training that is stopped and resumed gives the same model, and no rare level`,
    async (t) => {
      const generator = await generatorOf(name);
      const config = generator.config.parse(settingsOf(name, name === 'marginal' ? {} : { epochs: 2 }));
      const run = async (stopAt: number) => {
        const fitting = await generator.fit(data, config, 1);
        for (let step = 0; step < stopAt && !fitting.finished; step++) await fitting.step();
        const resumed = await generator.fit(data, config, 1);
        await resumed.load(decodeSaved(encodeSaved(await fitting.save())));
        fitting.dispose();
        while (!resumed.finished) await resumed.step();
        const model = await resumed.model();
        const { settings } = resumed;
        resumed.dispose();
        return { model, settings };
      };
      const whole = await run(0);
      t.deepEqual((await run(7)).model, whole.model);
      const text = JSON.stringify([whole.model.json, whole.settings]);
      t.false(text.includes('of four'));
      const { age, sex } = whole.settings['demographics'] as Record<string, string[]>;
      t.deepEqual(sex, ['F', 'M']);
      t.true(age && age.length <= 8 && age.every((range) => /^\d\d to \d\d$/.test(range)), `${age}`);
    },
  );
}

test.serial(
  'halo: what is asked decides the labels and codes as in the sampled and the real patients',
  async (t) => {
    const { sampler } = await modelOf('halo');
    const [free, women] = [
      await sampler.sample(asking(4000, {})),
      await sampler.sample(asking(4000, { demographics: level('sex', 'F', 4000), seed: 6 })),
    ];
    const sexes = valuesOf(free, 'sex');
    const freeWomen = where(free, (patient) => sexes[patient] === 'F');
    const trainSexes = valuesOf(data.train, 'sex');
    const realWomen = where(data.train, (patient) => trainSexes[patient] === 'F');
    const first = ({ labels }: VisitColumns) =>
      labels.filter((label, i) => i % 2 === 0 && label === 1).length / (labels.length / 2);
    const [asked, sampled, real] = [women, freeWomen, realWomen].map(first) as [number, number, number];
    t.true(
      Math.abs(asked - sampled) < 0.04,
      `first, of women asked for ${asked}, of those sampled ${sampled}`,
    );
    t.true(Math.abs(asked - real) < 0.1, `first, of women asked for ${asked}, real ${real}`);
    t.true(Math.abs(first(free) - 0.5) < 0.08);
    t.true(between(sharesOf(valuesOf(women, 'age')), sharesOf(valuesOf(freeWomen, 'age'))) < 0.05);
    // Asked for a label, patients have the facts that go with it.
    const labels = Uint8Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? 1 : drawnLabel));
    const firsts = await sampler.sample(asking(1000, { labels, seed: 7 }));
    const free1 = where(free, (patient) => free.labels[2 * patient] === 1);
    t.true(between(sharesOf(valuesOf(firsts, 'sex')), sharesOf(valuesOf(free1, 'sex'))) < 0.05);
    t.true(between(sharesOf(valuesOf(firsts, 'age')), sharesOf(valuesOf(free1, 'age'))) < 0.07);
  },
);

test.serial('halo: a training that starts from a model takes its facts', async (t) => {
  const generator = await generatorOf('halo');
  const { saved } = await modelOf('halo');
  const start = { saved, vocabulary: data.vocabulary };
  const from = (more: object, train = data.train) => {
    const config = generator.config.parse({ ...settingsOf('halo', more), epochs: 1 });
    return generator.fitFrom?.(start, { ...data, train }, config, 2) ?? t.fail();
  };
  const fitting = await from({});
  while (!fitting.finished) await fitting.step();
  t.deepEqual((await fitting.model()).json['facts'], saved.json['facts']);
  fitting.dispose();
  await t.throwsAsync(from({ demographics: ['sex'] }), {
    name: 'InvalidConfig',
    message: /asks for sex, and the model it is to start from has sex, age, ethnicity/,
  });
  const { demographics: _, ...bare } = data.train;
  await t.throwsAsync(from({}, bare), {
    name: 'InvalidConfig',
    message: /the cohort lacks sex, age, ethnicity/,
  });
});

test('ages in days become whole years, so that no border is a patient’s age in days', (t) => {
  const values = Float32Array.from({ length: 200 }, (_, p) => 20 + ((p * 37.123) % 60));
  const demographics: Record<string, Demographic> = { age: { kind: 'numeric', values } };
  const [age] = learnFacts('test', { ...data.train, demographics }, true);
  t.like(age, { kind: 'numeric', decimals: 0 });
  const share: Record<string, Demographic> = {
    share: { kind: 'numeric', values: values.map((v) => v / 100) },
  };
  t.like(learnFacts('test', { ...data.train, demographics: share }, true)[0], {
    kind: 'numeric',
    decimals: 2,
  });
});

test('levels and ranges hold at least the smallest group of training patients', async (t) => {
  const { saved } = await modelOf('marginal');
  for (const own of learnedFacts.parse(saved.json['facts'])) {
    const values = data.train.demographics?.[own.name]?.values as Float32Array;
    if (own.kind === 'categorical') continue;
    const inner = [Number.NEGATIVE_INFINITY, ...own.edges.slice(1, -1), Number.POSITIVE_INFINITY];
    for (let i = 0; i + 1 < inner.length; i++) {
      const inside = values.filter(
        (value) => value >= (inner[i] as number) && value < (inner[i + 1] as number),
      );
      t.true(inside.length >= smallestGroup);
    }
  }
});
