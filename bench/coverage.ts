/**
 * How often the 95 % intervals that enter a verdict hold what they are about, on simulated cohorts:
 * `node bench/coverage.ts --patients 100,300,1000 --runs 300 [--metrics nnaa,attribute] [--replicates 200]`.
 * The true value is the mean of the number over all runs, what cohorts of this size have on average; for the
 * true positive rate it is the population's, known in closed form. `too wide` is the mean width over that of
 * an interval of 1.96 true standard deviations each way.
 */
import { parseArgs } from 'node:util';
import { RandomSource } from '../pipelines/kernel/random.ts';
import { drain } from '../pipelines/kernel/steps.ts';
import type { Metric } from '../pipelines/metrics/metric.ts';
import { scoreAttack } from '../pipelines/metrics/privacy/engine/attack-scores.ts';
import { attributeInference } from '../pipelines/metrics/privacy/engine/attribute-inference.ts';
import { copies } from '../pipelines/metrics/privacy/engine/copies.ts';
import { nnaa } from '../pipelines/metrics/privacy/engine/nnaa.ts';
import codePairs from '../pipelines/metrics/similarity/code-pairs.ts';
import codePrevalence from '../pipelines/metrics/similarity/code-prevalence.ts';
import { normalQuantile } from '../pipelines/metrics/statistics/normal.ts';
import { selectPatients } from '../pipelines/patients/visit-columns.ts';
import { structuredCohort, structuredShape } from './structured-cohort.ts';

const { values: given } = parseArgs({
  options: {
    patients: { type: 'string', default: '100,300' },
    runs: { type: 'string', default: '200' },
    metrics: { type: 'string' },
    replicates: { type: 'string', default: '200' },
  },
});
const runs = Number(given.runs);
const replicates = Number(given.replicates);

interface Found {
  value: number | null;
  interval?: readonly [number, number];
}

interface Case {
  /** What the interval should hold, where it is known. */
  truth?: number;
  run(patients: number, seed: number): Found;
}

/** Independent cohorts, of which a share of the synthetic patients repeats training patients. */
const cohorts = (patients: number, seed: number, copied = 0) => {
  const all = structuredCohort(3 * patients, 1000 + seed);
  const part = (from: number) => Array.from({ length: patients }, (_, i) => from * patients + i);
  const made = part(2).map((patient, i) => (i < copied * patients ? i : patient));
  return {
    train: selectPatients(all, part(0)),
    test: selectPatients(all, part(1)),
    synthetic: selectPatients(all, made),
  };
};

const similarity =
  (metric: Metric, row: string) =>
  (patients: number, seed: number): Found => {
    const { train, test, synthetic } = cohorts(patients, seed);
    const labels = Array.from({ length: structuredShape.labels }, (_, i) => `L${i}`);
    const codes = Array.from({ length: structuredShape.codes }, (_, i) => ({
      modality: 'dx' as const,
      code: String(i),
    }));
    const vocabulary = { codes, labels };
    const input = { vocabulary, train, validation: test, holdout: test, synthetic };
    const more = { rows: [], options: {}, seed, replicates };
    const computed = metric.compute({ ...input, ...more });
    if (!(Symbol.iterator in computed)) throw new Error(`${metric.name} does not go by steps`);
    const found = drain(computed).rows.find((one) => one.row === row);
    return { value: found?.value ?? null, interval: found?.interval };
  };

/** Scores of an attack: strangers are standard normal, of the members a share scores higher by `by`. */
const attack =
  (share: number, by: number, of: 'auc' | 'rate') =>
  (patients: number, seed: number): Found => {
    const units = new Float64Array(3 * patients);
    new RandomSource(seed, 'attack').fill(units, 0, units.length, 0);
    const normal = (i: number) => normalQuantile(Math.min(1 - 1e-9, Math.max(1e-9, units[i] as number)));
    const members = Float64Array.from({ length: patients }, (_, i) =>
      (units[2 * patients + i] as number) < share ? normal(i) + by : normal(i),
    );
    const nonMembers = Float64Array.from({ length: patients }, (_, i) => normal(patients + i));
    const result = scoreAttack({ members, nonMembers }, { seed, replicates });
    return (of === 'auc' ? result.auc : result.truePositiveRates[1]) as Found;
  };

/** Normal quantile 0.99 less a shift of 1, and the share above it. */
const shiftedRate = 0.092358;

const cases: Record<string, Case> = {
  'auc, no leak': { truth: 0.5, run: attack(0, 0, 'auc') },
  'auc, all shifted': { truth: 0.76025, run: attack(1, 1, 'auc') },
  'tpr at 1 %, no leak': { truth: 0.01, run: attack(0, 0, 'rate') },
  'tpr at 1 %, all shifted': { truth: shiftedRate, run: attack(1, 1, 'rate') },
  'tpr at 1 %, a fifth leaked': { truth: 0.2 + 0.8 * 0.01, run: attack(0.2, 9, 'rate') },
  'nnaa, no leak': {
    run: (n, seed) => drain(nnaa(cohorts(n, seed), { form: 'corrected', seed, replicates })).loss,
  },
  'nnaa, a tenth copied': {
    run: (n, seed) => drain(nnaa(cohorts(n, seed, 0.1), { form: 'corrected', seed, replicates })).loss,
  },
  'attribute, no leak': {
    run: (n, seed) => drain(attributeInference(cohorts(n, seed), { seed, replicates })).excess,
  },
  'attribute, a tenth copied': {
    run: (n, seed) => drain(attributeInference(cohorts(n, seed, 0.1), { seed, replicates })).excess,
  },
  'exact copies, a tenth': {
    run: (n, seed) => drain(copies(cohorts(n, seed, 0.1), { seed, replicates })).exact.excess,
  },
  'code-prevalence R²': { run: similarity(codePrevalence, 'visit-r2') },
  'code-pairs R²': { run: similarity(codePairs, 'visit-r2') },
};

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const wanted = given.metrics?.split(',');
console.log(
  `${runs} runs, ${replicates} resamples\n${'interval'.padEnd(28)}patients  covers (SE)    too wide  true value`,
);
for (const patients of given.patients.split(',').map(Number))
  for (const [name, { truth, run }] of Object.entries(cases)) {
    if (wanted && !wanted.some((prefix) => name.startsWith(prefix))) continue;
    const found = Array.from({ length: runs }, (_, seed) => run(patients, seed));
    const values = found.flatMap(({ value }) => (value === null ? [] : [value]));
    const center = mean(values);
    const sd = Math.sqrt(mean(values.map((value) => (value - center) ** 2)));
    const aim = truth ?? center;
    const intervals = found.flatMap(({ interval }) => (interval ? [interval] : []));
    const covers = intervals.filter(([low, high]) => low <= aim && aim <= high).length / runs;
    const error = Math.sqrt((covers * (1 - covers)) / runs);
    const width = mean(intervals.map(([low, high]) => high - low)) / (2 * 1.96 * sd);
    const cells = [
      name.padEnd(28),
      String(patients).padStart(8),
      `${(100 * covers).toFixed(1).padStart(8)} (${(100 * error).toFixed(1)})`,
      width.toFixed(2).padStart(10),
      `${aim.toFixed(4)} ${truth === undefined ? '(mean of runs)' : '(population)'}`.padStart(24),
    ];
    console.log(cells.join(' '));
  }
