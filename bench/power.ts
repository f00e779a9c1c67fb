/**
 * Power and false alarms of every privacy check, and of the whole verdict, under planted leaks, by the code that the
 * pipeline runs: metrics, scorecard, checks, verdict. docs/verdicts.md has the table.
 *
 *   node bench/power.ts [--patients 500,2000] [--runs 20] [--first 0] [--leaks none,copies-3,…] [--processes 2]
 *     [--trained] [--without METRIC,…] [--out FILE]
 *   node bench/power.ts --show FILE,…
 *
 * Training, holdout and clean synthetic patients are independent invented ones (bench/structured-cohort.ts),
 * `--patients` a side; a leak replaces some of the synthetic ones (bench/planted-leaks.ts). The leaks `marginal`,
 * `halo` and `overtrained` are models, fitted to the training patients, which sample the synthetic ones and are
 * attacked too. Run i of every leak has the same patients; `--first` is the first run. Every privacy metric and
 * check there is takes part by itself; `--trained` adds the metrics that train networks, `--without` leaves some
 * out. `--out` grows run by run; `--show` prints the table of such files and runs nothing.
 */
import { fork } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startBackend } from '../infra/backend.ts';
import { generatorConfig, type Sampler } from '../pipelines/generation/generator.ts';
import { generatorNamed } from '../pipelines/generators/registry.ts';
import { RandomSource } from '../pipelines/kernel/random.ts';
import { drainAsync } from '../pipelines/kernel/steps.ts';
import { metricsOf } from '../pipelines/metrics/registry.ts';
import { type Keep, scoreCohort } from '../pipelines/metrics/score-cohort.ts';
import { wilsonInterval } from '../pipelines/metrics/statistics/normal.ts';
import type { VisitColumns } from '../pipelines/patients/visit-columns.ts';
import { checksOf } from '../pipelines/verdicts/checks.ts';
import type { Outcome } from '../pipelines/verdicts/judge.ts';
import { metricTables } from '../pipelines/verdicts/metric-tables.ts';
import { type Standing, verdictCard } from '../pipelines/verdicts/verdict-card.ts';
import { plantedLeaks } from './planted-leaks.ts';
import { structuredCohort, structuredShape } from './structured-cohort.ts';

const { values } = parseArgs({
  options: {
    patients: { type: 'string', default: '500' },
    runs: { type: 'string', default: '20' },
    first: { type: 'string', default: '0' },
    leaks: { type: 'string' },
    processes: { type: 'string', default: '1' },
    trained: { type: 'boolean', default: false },
    without: { type: 'string', default: '' },
    out: { type: 'string' },
    show: { type: 'string' },
  },
});

/** Models by name; without validation patients no training stops early. */
const models: Record<string, { generator: string; config: Record<string, unknown>; isValidated: boolean }> = {
  marginal: { generator: 'marginal', config: {}, isValidated: false },
  halo: { generator: 'halo', config: {}, isValidated: true },
  overtrained: {
    generator: 'halo',
    config: { epochs: 80, weightDecay: 0, dropout: 0, calibration: 0 },
    isValidated: false,
  },
};
/** A trained model is asked for by name. */
const usual = [...plantedLeaks.keys(), 'marginal'];

const vocabulary = {
  codes: Array.from({ length: structuredShape.codes }, (_, i) => ({ modality: 'dx' as const, code: `${i}` })),
  labels: Array.from({ length: structuredShape.labels }, (_, i) => `label ${i}`),
};
const left = values.without.split(',');
const metrics = [...metricsOf('privacy').values()].filter(
  ({ name, trains }) => (values.trained || !trains) && !left.includes(name),
);

/** Uniform numbers of one planted leak. */
const uniformsOf = (seed: number): (() => number) => {
  const source = new RandomSource(seed, 'order');
  const block = new Float64Array(1024);
  let at = block.length;
  let major = 0;
  return () => {
    if (at === block.length) {
      source.fill(block, 0, block.length, major++);
      at = 0;
    }
    return block[at++] as number;
  };
};

interface Task {
  patients: number;
  leak: string;
  run: number;
}
interface Done extends Task {
  /** What the verdict card says of privacy. */
  standing: Standing;
  /** Checks by their short names. */
  outcomes: Record<string, Outcome>;
  /** Processor seconds by metric, and of the fitting. */
  seconds: Record<string, number>;
}

const processorSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** The model fitted to the training patients, as many synthetic ones of it, and how to open it. */
const sampleModel = async (name: string, train: VisitColumns, patients: number, seed: number) => {
  const { generator: of, config: given, isValidated } = models[name] as (typeof models)[string];
  const generator = generatorNamed(of);
  const config = generatorConfig(generator, given);
  const validation = structuredCohort(isValidated ? Math.ceil(patients / 9) : 0, 1000 * seed + 4);
  const fitting = await generator.fit({ vocabulary, train, validation }, config, seed);
  while (!fitting.finished) await fitting.step();
  const saved = await fitting.model();
  fitting.dispose();
  const model = (): Promise<Sampler> => Promise.resolve(generator.open(saved, config, vocabulary));
  const sampler = await model();
  const synthetic = await sampler.sample({ first: 0, count: patients, seed: seed + 1 });
  sampler.dispose();
  return { synthetic, model };
};

/** One run of one leak, from patients to verdict. */
const measure = async ({ patients, leak, run }: Task): Promise<Done> => {
  const cohort = (side: number) => structuredCohort(patients, 1000 * run + side);
  const [train, holdout] = [cohort(1), cohort(2)];
  const seconds: Record<string, number> = {};
  const start = processorSeconds();
  const plant = plantedLeaks.get(leak);
  const made = plant
    ? { synthetic: plant(cohort(3), train, uniformsOf(run)), model: undefined }
    : await sampleModel(leak, train, patients, run);
  if (!plant) seconds['fitting'] = processorSeconds() - start;
  const timed: Keep = async function* (metric, _options, compute) {
    const before = processorSeconds();
    const found = yield* compute();
    seconds[metric.name] = processorSeconds() - before;
    return found;
  };
  const parties = { vocabulary, train, validation: structuredCohort(0, 0), holdout, ...made };
  const settings = { generator: leak, metrics, seed: run, replicates: 200, suppressBelow: 0 };
  const { card } = await drainAsync(scoreCohort({ ...settings, ...parties }, timed));
  const generators = [{ name: leak, isBaseline: false }];
  const { checks } = checksOf(metricTables([card], 0), generators);
  const [row] = verdictCard({ generators, checks, metrics: card.metrics }).generators;
  const outcomes = checks.map(({ short, verdicts }) => [short, verdicts[0]?.outcome ?? 'unknown'] as const);
  return {
    ...{ patients, leak, run, seconds, outcomes: Object.fromEntries(outcomes) },
    standing: row?.privacy.standing ?? 'inconclusive',
  };
};

const percent = (count: number, of: number): string => `${Math.round((100 * count) / of)}`;

/** One line of the table: shares in percent, with Wilson's 95 % interval of that of the verdict. */
const tableLine = (done: readonly Done[]): string => {
  const [first] = done;
  if (!first) return '';
  const count = (is: (one: Done) => boolean) => done.filter(is).length;
  const poor = count(({ standing }) => standing === 'poor');
  const [low, high] = wilsonInterval(poor / done.length, done.length);
  const names = [...new Set(done.flatMap(({ outcomes }) => Object.keys(outcomes)))];
  const each = names
    .map((name) => ({ name, failed: count(({ outcomes }) => outcomes[name] === 'failed') }))
    .filter(({ failed }) => failed > 0)
    .sort((a, b) => b.failed - a.failed)
    .map(({ name, failed }) => `${name} ${percent(failed, done.length)}`);
  const shares = `${percent(poor, done.length)} (${percent(low, 1)} to ${percent(high, 1)})`;
  const good = percent(
    count(({ standing }) => standing === 'good'),
    done.length,
  );
  return `| ${first.patients} | ${first.leak} | ${done.length} | ${shares} | ${good} | ${each.join(', ')} |`;
};

const printTable = (done: readonly Done[]): void => {
  const groups = new Map<string, Done[]>();
  for (const one of done) {
    const key = `${one.patients} ${one.leak}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  console.log('| patients | leak | runs | poor, % | good, % | checks that fail, % |');
  console.log('| ---: | --- | ---: | --- | ---: | --- |');
  for (const group of groups.values()) console.log(tableLine(group));
  for (const size of new Set(done.map(({ patients }) => patients))) {
    const own = done.filter(({ patients }) => patients === size);
    const names = [...new Set(own.flatMap(({ seconds }) => Object.keys(seconds)))];
    const spent = names.map((name) => {
      const times = own.flatMap(({ seconds }) => seconds[name] ?? []);
      return `${name} ${(times.reduce((a, b) => a + b, 0) / times.length).toFixed(1)}`;
    });
    console.log(`\nprocessor seconds a run at ${size} patients: ${spent.join(', ')}`);
  }
};

const main = async (): Promise<void> => {
  const chosen = values.leaks?.split(',') ?? usual;
  const known = [...plantedLeaks.keys(), ...Object.keys(models)];
  const unknown = chosen.filter((leak) => !known.includes(leak));
  if (unknown.length > 0)
    throw new RangeError(`no leak ${unknown.join(', ')}; there are ${known.join(', ')}`);
  const tasks = values.patients.split(',').flatMap((patients) =>
    chosen.flatMap((leak) =>
      Array.from({ length: Number(values.runs) }, (_, at) => ({
        ...{ patients: Number(patients), leak, run: Number(values.first) + at },
      })),
    ),
  );
  const done: (Done | undefined)[] = tasks.map(() => undefined);
  const finished = () => done.filter((one) => one !== undefined);
  const began = performance.now();
  let next = 0;
  const work = async () => {
    // Its arguments are ours, so that both know the same metrics.
    const child = fork(fileURLToPath(import.meta.url), process.argv.slice(2), {
      env: { ...process.env, POWER_CHILD: '1' },
    });
    const ended = new Promise<never>((_, reject) => {
      child.once('exit', (code) => reject(new Error(`a process of the bench ended with ${code}`)));
    });
    ended.catch(() => undefined);
    for (let at = next++; at < tasks.length; at = next++) {
      const answer = new Promise<Done>((resolve) => child.once('message', (one) => resolve(one as Done)));
      child.send(tasks[at] as Task);
      done[at] = await Promise.race([answer, ended]);
      const all = finished();
      const spent = (performance.now() - began) / 1000;
      const remaining = (spent / all.length) * (tasks.length - all.length);
      const { patients, leak, run, standing } = done[at] as Done;
      console.error(
        `${all.length}/${tasks.length}  ${patients} ${leak} ${run}: ${standing}  about ${Math.ceil(remaining)} s left`,
      );
      if (values.out) await writeFile(values.out, `${JSON.stringify(all, undefined, 1)}\n`);
    }
    child.disconnect();
  };
  await Promise.all(Array.from({ length: Number(values.processes) }, work));
  printTable(finished());
};

if (process.env['POWER_CHILD']) {
  // Only models need it, and it prints notices of its own.
  let backend: Promise<unknown> | undefined;
  process.on('message', async (task: Task) => {
    if (values.trained || !plantedLeaks.has(task.leak)) backend ??= startBackend();
    await backend;
    process.send?.(await measure(task));
  });
} else if (values.show) {
  const files = await Promise.all(values.show.split(',').map((file) => readFile(file, 'utf8')));
  printTable(files.flatMap((text) => JSON.parse(text) as Done[]));
} else await main();
