/**
 * How often the 95 % intervals that enter a verdict hold what they are about, on simulated cohorts:
 * `node bench/coverage.ts --patients 100,300,1000 --runs 300 [--metrics nnaa,attribute] [--replicates 200]`.
 * The true value is the mean of the number over all runs, what cohorts of this size have on average; for the
 * true positive rate it is the population's, known in closed form. `too wide` is the mean width over that of
 * an interval of 1.96 true standard deviations each way.
 */
import { parseArgs } from 'node:util';
import { RandomSource } from '../pipelines/kernel/random.ts';
import { drain, drainAsync } from '../pipelines/kernel/steps.ts';
import type { Metric } from '../pipelines/metrics/metric.ts';
import { scoreAttack } from '../pipelines/metrics/privacy/engine/attack-scores.ts';
import {
  attributeInference,
  inferenceRisk,
} from '../pipelines/metrics/privacy/engine/attribute-inference.ts';
import { copiedVisits } from '../pipelines/metrics/privacy/engine/copied-visits.ts';
import { copies } from '../pipelines/metrics/privacy/engine/copies.ts';
import { nnaa } from '../pipelines/metrics/privacy/engine/nnaa.ts';
import { metricOptions } from '../pipelines/metrics/score-metric.ts';
import codePairs from '../pipelines/metrics/similarity/code-pairs.ts';
import codePrevalence from '../pipelines/metrics/similarity/code-prevalence.ts';
import discriminator from '../pipelines/metrics/similarity/discriminator.ts';
import { normalQuantile } from '../pipelines/metrics/statistics/normal.ts';
import {
  rank,
  rocSteps,
  truePositiveRateAt,
  truePositiveRateInterval,
} from '../pipelines/metrics/statistics/roc.ts';
import {
  codesOfVisit,
  labelsOfPatient,
  patientCount,
  selectPatients,
  type VisitColumns,
  VisitColumnsBuilder,
  visitRange,
} from '../pipelines/patients/visit-columns.ts';
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
  run(patients: number, seed: number): Found | Promise<Found>;
}

const uniforms = (count: number, seed: number): Float64Array => {
  const units = new Float64Array(count);
  new RandomSource(seed, 'attack').fill(units, 0, count, 7);
  return units;
};

/** Independent cohorts; each synthetic patient repeats a training patient with probability `copied`. */
const cohorts = (patients: number, seed: number, copied = 0) => {
  const all = structuredCohort(3 * patients, 1000 + seed);
  const part = (from: number) => Array.from({ length: patients }, (_, i) => from * patients + i);
  const units = uniforms(patients, seed);
  const made = part(2).map((patient, i) => ((units[i] as number) < copied ? i : patient));
  return {
    train: selectPatients(all, part(0)),
    test: selectPatients(all, part(1)),
    synthetic: selectPatients(all, made),
  };
};

/** Without some of the codes, so that the cohorts differ by more than chance. */
const thinned = (columns: VisitColumns, seed: number, dropped = 0.3): VisitColumns => {
  const units = uniforms(columns.codes.length, seed);
  const builder = new VisitColumnsBuilder();
  for (let p = 0; p < patientCount(columns); p++) {
    const [first, end] = visitRange(columns, p);
    const visits = Array.from({ length: end - first }, (_, at) => {
      const from = columns.codeOffsets[first + at] as number;
      return codesOfVisit(columns, first + at).filter((_code, i) => (units[from + i] as number) >= dropped);
    });
    builder.addPatient(visits, labelsOfPatient(columns, p));
  }
  return builder.build();
};

const similarity =
  (metric: Metric, row: string, dropped = 0) =>
  async (patients: number, seed: number): Promise<Found> => {
    const { train, test, synthetic: independent } = cohorts(patients, seed);
    const synthetic = dropped > 0 ? thinned(independent, seed, dropped) : independent;
    const labels = Array.from({ length: structuredShape.labels }, (_, i) => `L${i}`);
    const codes = Array.from({ length: structuredShape.codes }, (_, i) => ({
      modality: 'dx' as const,
      code: String(i),
    }));
    const vocabulary = { codes, labels };
    const input = { vocabulary, train, validation: test, holdout: test, synthetic };
    const more = { rows: [], options: metricOptions(metric), seed, replicates };
    const computed = metric.compute({ ...input, ...more });
    const result =
      'rows' in computed
        ? computed
        : Symbol.iterator in computed
          ? drain(computed)
          : await drainAsync(computed);
    const found = result.rows.find((one) => one.row === row);
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
    if (of === 'auc') return scoreAttack({ members, nonMembers }, { seed, replicates }).auc;
    // Without the permutations of an attack, which take most of its time.
    const steps = rocSteps(rank({ members, nonMembers }));
    const value = truePositiveRateAt(steps, 0.01);
    return { value, interval: truePositiveRateInterval(steps, 0.01, value) };
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
  'attribute risk, no leak': {
    run: (n, seed) => drain(inferenceRisk(cohorts(n, seed), { seed, replicates })).risk,
  },
  'attribute risk, a tenth copied': {
    run: (n, seed) => drain(inferenceRisk(cohorts(n, seed, 0.1), { seed, replicates })).risk,
  },
  'exact copies, a tenth': {
    run: (n, seed) => drain(copies(cohorts(n, seed, 0.1), { seed, replicates })).exact.excess,
  },
  'near copies, 3 %': {
    run: (n, seed) => drain(copies(cohorts(n, seed, 0.03), { seed, replicates })).near.excess,
  },
  'copied visits, a tenth': {
    run: (n, seed) =>
      drain(copiedVisits(cohorts(n, seed, 0.1), { seed, replicates, leastCodes: 5, similarity: 0.8 })).near
        .excess,
  },
  'code-prevalence R², independent': { run: similarity(codePrevalence, 'record-r2') },
  'code-prevalence R², thinned': { run: similarity(codePrevalence, 'record-r2', 0.3) },
  'code-pairs R², independent': { run: similarity(codePairs, 'record-r2') },
  'code-pairs R², thinned': { run: similarity(codePairs, 'record-r2', 0.3) },
  'discriminator AUC, independent': { truth: 0.5, run: similarity(discriminator, 'auc') },
  'discriminator AUC, thinned': { run: similarity(discriminator, 'auc', 0.1) },
};

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const wanted = given.metrics?.split(',');
console.log(
  `${runs} runs, ${replicates} resamples\n${'interval'.padEnd(32)}patients  covers (SE)    too wide  true value`,
);
for (const patients of given.patients.split(',').map(Number))
  for (const [name, { truth, run }] of Object.entries(cases)) {
    if (wanted && !wanted.some((prefix) => name.startsWith(prefix))) continue;
    const found: Found[] = [];
    for (let seed = 0; seed < runs; seed++) found.push(await run(patients, seed));
    const values = found.flatMap(({ value }) => (value === null ? [] : [value]));
    const center = mean(values);
    const sd = Math.sqrt(mean(values.map((value) => (value - center) ** 2)));
    const aim = truth ?? center;
    const intervals = found.flatMap(({ interval }) => (interval ? [interval] : []));
    const covers = intervals.filter(([low, high]) => low <= aim && aim <= high).length / runs;
    const error = Math.sqrt((covers * (1 - covers)) / runs);
    const width = mean(intervals.map(([low, high]) => high - low)) / (2 * 1.96 * sd);
    const cells = [
      name.padEnd(32),
      String(patients).padStart(8),
      `${(100 * covers).toFixed(1).padStart(8)} (${(100 * error).toFixed(1)})`,
      width.toFixed(2).padStart(10),
      `${aim.toFixed(4)} ${truth === undefined ? '(mean of runs)' : '(population)'}`.padStart(24),
    ];
    console.log(cells.join(' '));
  }
