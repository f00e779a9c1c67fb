/**
 * Unigram, bigram and sequential statistics against the published script, in one run, in processor seconds, which
 * other work on the machine disturbs least: node bench/similarity.ts [--patients 46520] [--replicates 200]
 * The peer is HALO's evaluate_datasets.py, unchanged: UNDERSTUDY_HALO names a folder of its repository (else it is
 * cloned), UNDERSTUDY_PYTHON a Python that has numpy and scikit-learn (else an environment is made). Its R² must be
 * ours. With --replicates, all similarity metrics with intervals are timed instead.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { drain, drainAsync } from '../pipelines/kernel/steps.ts';
import { metricsOf } from '../pipelines/metrics/registry.ts';
import { metricOptions, scoreMetric } from '../pipelines/metrics/score-metric.ts';
import codePairs from '../pipelines/metrics/similarity/code-pairs.ts';
import codePrevalence from '../pipelines/metrics/similarity/code-prevalence.ts';
import sequentialPairs from '../pipelines/metrics/similarity/sequential-pairs.ts';
import { visitCount } from '../pipelines/patients/visit-columns.ts';
import { patientsOf, simulatedCohort } from './simulated-cohort.ts';

const { values } = parseArgs({
  options: {
    patients: { type: 'string', default: '46520' },
    replicates: { type: 'string' },
  },
});
const patients = Number(values.patients);

const peak = (): string => `${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)} GiB`;

/** Processor seconds of all threads. */
const timed = async <T>(work: () => T | Promise<T>): Promise<{ seconds: number; result: T }> => {
  const start = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(start);
  return { seconds: (user + system) / 1e6, result };
};

const vocabulary = {
  codes: Array.from({ length: 6841 }, (_, i) => ({
    modality: (['dx', 'dx', 'dx', 'px', 'rx'] as const)[i % 5] ?? 'dx',
    code: String(i),
  })),
  labels: Array.from({ length: 25 }, (_, i) => `L${i}`),
};
const real = simulatedCohort(patients, 1);
const synthetic = simulatedCohort(patients, 2);
const empty = simulatedCohort(0, 0);
const comparison = {
  vocabulary,
  train: real,
  validation: empty,
  holdout: empty,
  synthetic,
  rows: [],
  options: {},
  seed: 0,
  replicates: Number(values.replicates ?? 0),
};

const say = (name: string, seconds: number) =>
  console.log(`${name.padEnd(44)} ${seconds.toFixed(2).padStart(8)} s   peak so far ${peak()}`);

/** Row of ours, by the name the script prints. */
const rows = {
  'Per Record Code Probabilities': ['code-prevalence', 'reference-record-r2'],
  'Per Visit Code Probabilities': ['code-prevalence', 'visit-r2'],
  'Per Record Bigram Probabilities': ['code-pairs', 'reference-record-r2'],
  'Per Visit Bigram Probabilities': ['code-pairs', 'visit-r2'],
  'Per Record Sequential Visit Bigram Probabilities': ['sequential-pairs', 'reference-record-r2'],
  'Per Visit Sequential Visit Bigram Probabilities': ['sequential-pairs', 'reference-visit-r2'],
} as const;
type Table = keyof typeof rows;

/** R², Pearson, Spearman and the points of the plots: all that the three metrics give. */
const ours = (): Record<Table, number> => {
  const found = new Map(
    [codePrevalence, codePairs, sequentialPairs].map((metric) => [
      metric.name,
      drain(metric.compute(comparison)).rows,
    ]),
  );
  const value = ([metric, row]: readonly [string, string]) =>
    found.get(metric)?.find((candidate) => candidate.row === row)?.value ?? Number.NaN;
  return Object.fromEntries(Object.entries(rows).map(([table, row]) => [table, value(row)])) as Record<
    Table,
    number
  >;
};

interface PeerReport {
  python: string;
  count: number;
  compare: number;
  gibibytes: number;
  r2: Record<string, number>;
}

const run = (program: string, args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

const cloned = (folder: string): string => {
  const into = join(folder, 'HALO_Inpatient');
  run('git', ['clone', '--quiet', '--depth', '1', 'https://github.com/btheodorou99/HALO_Inpatient', into]);
  return into;
};

const environment = (folder: string): string => {
  run('python3', ['-m', 'venv', join(folder, 'venv')]);
  const python = join(folder, 'venv', 'bin', 'python');
  run(python, ['-m', 'pip', 'install', '--quiet', 'numpy', 'scikit-learn']);
  return python;
};

const theirs = (): PeerReport => {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-bench-'));
  try {
    const halo = process.env['UNDERSTUDY_HALO'] ?? cloned(folder);
    const python = process.env['UNDERSTUDY_PYTHON'] ?? environment(folder);
    const file = join(folder, 'cohorts.json');
    writeFileSync(file, JSON.stringify({ train: patientsOf(real), synthetic: patientsOf(synthetic) }));
    const script = fileURLToPath(new URL('./similarity-peer.py', import.meta.url));
    return JSON.parse(run(python, [script, halo, file])) as PeerReport;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const against = async (): Promise<void> => {
  const mine = await timed(ours);
  say('ours: counts, R², correlations, plot points', mine.seconds);
  const peer = theirs();
  const whole = peer.count + peer.compare;
  const counted = `${peer.count.toFixed(1)} s counting, ${peer.compare.toFixed(1)} s comparing`;
  console.log(
    `HALO's generate_statistics and generate_plots, Python ${peer.python}: ${counted}, ${peer.gibibytes.toFixed(2)} GiB`,
  );
  const apart = Object.entries(mine.result).map(([table, value]) =>
    Math.abs(value - (peer.r2[table] ?? Number.NaN)),
  );
  console.log(`greatest difference of the six R²: ${Math.max(...apart).toExponential(1)}`);
  console.log(
    `ratio: ${(whole / mine.seconds).toFixed(0)}; of their counting alone: ${(peer.count / mine.seconds).toFixed(0)}`,
  );
  if (!(Math.max(...apart) < 1e-9)) process.exitCode = 1;
};

/** Every similarity metric that needs no model, with its intervals and, on an eighth as many real patients, those of the real-vs-real reference. */
const everything = async (): Promise<void> => {
  const holdout = simulatedCohort(Math.round(patients / 8), 3);
  let all = 0;
  for (const metric of metricsOf('similarity').values()) {
    if (metric.needs.some((need) => need !== 'train' && need !== 'synthetic')) continue;
    const options = metricOptions(metric);
    const input = { ...comparison, holdout, options };
    const { seconds } = await timed(() => drainAsync(scoreMetric(metric, input, 11)));
    say(metric.name, seconds);
    all += seconds;
  }
  say(`all, ${comparison.replicates} resamples`, all);
};

console.log(`${patients} patients, ${visitCount(real)} visits, ${real.codes.length} codes a side`);
await (values.replicates === undefined ? against() : everything());
