import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import {
  drawnLabel,
  type Fitting,
  type Generator,
  type SampleRequest,
  type Sampler,
} from '../../../pipelines/generation/generator.ts';
import { generators } from '../../../pipelines/generators/registry.ts';
import { decodeSaved, encodeSaved } from '../../../pipelines/kernel/safetensors.ts';
import { deviceArrays } from '../../../pipelines/nn/ops/open-ops.ts';
import { patientCount, type VisitColumns, visitCount } from '../../../pipelines/patients/visit-columns.ts';
import { planted, quickSettings } from './planted-cohort.ts';

test.before(async () => {
  await startBackend();
});

const data = planted();

const fit = (generator: Generator, seed = 1): Promise<Fitting> =>
  generator.fit(data, generator.config.parse(quickSettings[generator.name] ?? {}), seed);

const train = async (fitting: Fitting, most = Number.POSITIVE_INFINITY): Promise<Fitting> => {
  for (let step = 0; step < most && !fitting.finished; step++) await fitting.step();
  return fitting;
};

/** What a fitting's model draws; the fitting and the sampler are disposed of. */
const draw = async (
  generator: Generator,
  fitting: Fitting,
  request: SampleRequest,
): Promise<VisitColumns> => {
  const saved = decodeSaved(encodeSaved(await fitting.model()));
  const config = generator.config.parse(quickSettings[generator.name] ?? {});
  const sampler: Sampler = await generator.open(saved, config, data.vocabulary);
  fitting.dispose();
  const columns = await sampler.sample(request);
  sampler.dispose();
  return columns;
};

/** Mean distance between the shares of visits that have each code. */
const distance = (columns: VisitColumns): number => {
  const shares = ({ codes }: VisitColumns, visits: number) =>
    data.vocabulary.codes.map((_, code) => codes.filter((c) => c === code).length / Math.max(1, visits));
  const real = shares(data.train, visitCount(data.train));
  const drawn = shares(columns, visitCount(columns));
  return real.reduce((sum, share, code) => sum + Math.abs(share - (drawn[code] as number)), 0) / real.length;
};

for (const [name, generator] of generators) {
  test.serial(`${name}: has a name, a title and a paper, and refuses unknown settings`, (t) => {
    t.is(generator.name, name);
    t.true(generator.title.length > 0 && generator.paper.length > 0);
    t.throws(() => generator.config.parse({ noSuchKey: 1 }));
  });

  test.serial(`${name}: learns the planted frequencies, and far better than untrained`, async (t) => {
    const request = { first: 0, count: 200, seed: 3 };
    const untrained = distance(await draw(generator, await fit(generator), request));
    const trained = distance(await draw(generator, await train(await fit(generator)), request));
    t.true(trained < 0.06 && trained < untrained / 2, `trained ${trained}, untrained ${untrained}`);
  });

  test.serial(`${name}: same seed, same bytes; another seed, other patients`, async (t) => {
    const [one, two] = [await train(await fit(generator), 5), await train(await fit(generator), 5)];
    t.deepEqual(encodeSaved(await one.model()), encodeSaved(await two.model()));
    const request = { first: 10, count: 50, seed: 3 };
    const first = await draw(generator, one, request);
    const third = await draw(generator, await train(await fit(generator), 5), { ...request, seed: 4 });
    t.deepEqual(await draw(generator, two, request), first);
    t.notDeepEqual(third, first);
  });

  test.serial(`${name}: put away and taken up at any step, it goes on as if nothing had been`, async (t) => {
    const whole = await fit(generator);
    const put: Uint8Array[] = [encodeSaved(await whole.save())];
    const reports: unknown[] = [];
    while (!whole.finished && reports.length < 14) {
      reports.push(await whole.step());
      put.push(encodeSaved(await whole.save()));
    }
    for (const at of [0, 1, 3, 4, 5, 9].filter((step) => step < reports.length)) {
      const other = await fit(generator);
      await other.load(decodeSaved(put[at] as Uint8Array));
      t.deepEqual(encodeSaved(await other.save()), put[at]);
      for (let step = at; step < reports.length; step++) t.deepEqual(await other.step(), reports[step]);
      t.is(other.finished, whole.finished);
      t.deepEqual(encodeSaved(await other.save()), put.at(-1));
      t.deepEqual(encodeSaved(await other.model()), encodeSaved(await whole.model()));
      other.dispose();
    }
    whole.dispose();
  });

  test.serial(`${name}: draws the number asked for, of the vocabulary only, well formed`, async (t) => {
    const columns = await draw(generator, await train(await fit(generator), 20), {
      first: 0,
      count: 33,
      seed: 8,
    });
    t.is(patientCount(columns), 33);
    t.is(columns.labels.length, 33 * data.vocabulary.labels.length);
    t.true(columns.labels.every((label) => label === 0 || label === 1));
    t.is(columns.visitOffsets[33], visitCount(columns));
    t.is(columns.codeOffsets.at(-1), columns.codes.length);
    for (let visit = 0; visit < visitCount(columns); visit++) {
      const codes = columns.codes.subarray(columns.codeOffsets[visit], columns.codeOffsets[visit + 1]);
      t.true(
        codes.every((code, i) => code >= 0 && code < 12 && (i === 0 || code > (codes[i - 1] as number))),
      );
    }
  });

  test.serial(`${name}: patients are the same in one request or in two`, async (t) => {
    const whole = await draw(generator, await train(await fit(generator), 8), {
      first: 0,
      count: 40,
      seed: 2,
    });
    const part = await draw(generator, await train(await fit(generator), 8), {
      first: 25,
      count: 15,
      seed: 2,
    });
    const visit = whole.visitOffsets[25] as number;
    t.deepEqual(part.codes, whole.codes.slice(whole.codeOffsets[visit]));
    t.deepEqual(part.labels, whole.labels.slice(25 * 2));
  });

  if (generator.capabilities.includes('labels'))
    test.serial(`${name}: labels asked for are given`, async (t) => {
      const labels = Uint8Array.from({ length: 60 }, (_, i) => (i % 4 < 2 ? 1 : 0));
      const columns = await draw(generator, await train(await fit(generator), 8), {
        first: 0,
        count: 30,
        seed: 2,
        labels,
      });
      t.deepEqual(columns.labels, labels);
    });

  if (generator.capabilities.includes('labels'))
    test.serial(`${name}: of some labels asked for, those are given and the others sampled`, async (t) => {
      const labels = Uint8Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? 1 : drawnLabel));
      const request = { first: 0, count: 30, seed: 2, labels };
      const columns = await draw(generator, await train(await fit(generator), 8), request);
      t.true(columns.labels.every((label, i) => (i % 2 === 0 ? label === 1 : label <= 1)));
    });

  test.serial(`${name}: learns without a validation split, and says so`, async (t) => {
    const config = generator.config.parse(quickSettings[name] ?? {});
    const none = { ...data.validation, visitOffsets: Int32Array.of(0), codeOffsets: Int32Array.of(0) };
    const validation = { ...none, codes: new Int32Array(0), labels: new Uint8Array(0) };
    const fitting = await generator.fit({ ...data, validation }, config, 1);
    const report = await fitting.step();
    t.true(Number.isFinite(report.loss));
    t.is(report.validationLoss, undefined);
    fitting.dispose();
  });

  const { fitFrom } = generator;
  if (fitFrom)
    test.serial(`${name}: from a model it learns on, the same every time`, async (t) => {
      const before = await train(await fit(generator), 40);
      const start = { saved: decodeSaved(encodeSaved(await before.model())), vocabulary: data.vocabulary };
      before.dispose();
      const config = generator.config.parse(quickSettings[name] ?? {});
      const from = () => fitFrom(start, data, config, 2);
      const [one, two, scratch] = [await from(), await from(), await fit(generator, 2)];
      const [{ loss }, second, untrained] = [await one.step(), await two.step(), await scratch.step()];
      t.true(loss < 0.8 * untrained.loss, `${loss} from the model, ${untrained.loss} from nothing`);
      t.deepEqual(second.loss, loss);
      t.deepEqual(encodeSaved(await one.save()), encodeSaved(await two.save()));
      const put = decodeSaved(encodeSaved(await one.save()));
      const again = await from();
      await again.load(put);
      t.deepEqual(await again.step(), await two.step());
      for (const fitting of [one, two, scratch, again]) fitting.dispose();
    });

  test.serial(`${name}: leaves nothing on the device`, async (t) => {
    const before = deviceArrays();
    const fitting = await train(await fit(generator), 3);
    const during = deviceArrays();
    await train(fitting, 3);
    // Some twenty constants are kept for each new number of rows, 512 at most.
    t.true(deviceArrays() - during < 80, 'steps leave arrays behind');
    await draw(generator, fitting, { first: 0, count: 10, seed: 1 });
    t.is(deviceArrays(), before);
  });
}
