import test from 'ava';
import { RandomSource } from '../../../pipelines/kernel/random.ts';
import { drain } from '../../../pipelines/kernel/steps.ts';
import type { MetricResult, PartialRow } from '../../../pipelines/metrics/metric.ts';
import { agreement } from '../../../pipelines/metrics/rows/agreement.ts';
import { influenceOf } from '../../../pipelines/metrics/rows/agreement-influence.ts';
import { recordView, visitView } from '../../../pipelines/metrics/rows/agreement-rows.ts';
import codePairs from '../../../pipelines/metrics/similarity/code-pairs.ts';
import codePrevalence from '../../../pipelines/metrics/similarity/code-prevalence.ts';
import codesByModality from '../../../pipelines/metrics/similarity/code-prevalence-by-modality.ts';
import codesPerVisit from '../../../pipelines/metrics/similarity/codes-per-visit.ts';
import lengthsByModality from '../../../pipelines/metrics/similarity/codes-per-visit-by-modality.ts';
import labels from '../../../pipelines/metrics/similarity/label-prevalence.ts';
import sequentialPairs from '../../../pipelines/metrics/similarity/sequential-pairs.ts';
import visitsPerRecord from '../../../pipelines/metrics/similarity/visits-per-record.ts';
import { countOccurrences } from '../../../pipelines/metrics/statistics/occurrence-counts.ts';
import { layOutKeys, patientEntries } from '../../../pipelines/metrics/statistics/patient-entries.ts';
import {
  patientCount,
  selectPatients,
  type VisitColumns,
} from '../../../pipelines/patients/visit-columns.ts';
import { cases, columnsAsWritten, comparing, type Patient } from './golden-cohorts.ts';

const mini = cases['mini_a40_vs_b40_full_tables'] ?? { real: [], synthetic: [] };
const given = { ...comparing(mini.real, mini.synthetic, 120, 5), options: {} };
const interval = (rows: readonly PartialRow[], name: string) =>
  rows.find(({ row }) => row === name)?.interval;

for (const metric of [
  codePrevalence,
  codePairs,
  sequentialPairs,
  codesByModality,
  visitsPerRecord,
  codesPerVisit,
  lengthsByModality,
  labels,
]) {
  const rows = (replicates: number, seed = 1) =>
    drain<MetricResult>(metric.compute({ ...given, seed, replicates })).rows;

  test(`${metric.name}: an interval around every value; by seed alone; none without resamples`, (t) => {
    const found = rows(40);
    // A share that nobody has cannot vary: it has no interval.
    for (const { row, value, interval: [low, high] = [Number.NaN, Number.NaN] } of found)
      if (value !== null && !(value === 0 && /empty-share|without/.test(row)))
        t.true(low <= value && value <= high && low < high, `${row}: ${low} ${value} ${high}`);
    t.deepEqual(rows(40), found);
    t.notDeepEqual(rows(40, 2), found);
    t.true(rows(0).every((row) => row.interval === undefined));
    t.deepEqual(
      rows(0).map(({ value }) => value),
      found.map(({ value }) => value),
    );
  });
}

test('more entries than the budget: a part of the patients gives an interval about as wide', (t) => {
  const { real, synthetic } = cases['cohort_a_vs_b'] ?? mini;
  const cohorts = { ...comparing(real, synthetic, 600, 5), replicates: 60 };
  const counts = countOccurrences(cohorts.train, cohorts.synthetic, 'codes');
  const part = {
    views: [
      recordView('code', cohorts.train, cohorts.synthetic),
      visitView('code', cohorts.train, cohorts.synthetic),
    ],
  };
  const widths = (budget?: number) =>
    drain(agreement('codes', cohorts, counts, [part], budget)).map(
      ({ interval: [low, high] = [0, 0] }) => high - low,
    );
  const whole = widths();
  const entries = [counts.real, counts.synthetic].flatMap(({ patients }) => [...patients]);
  const half = widths(entries.reduce((sum, n) => sum + n, 0) / 2);
  half.forEach((width, i) => {
    const ratio = width / (whole[i] ?? Number.NaN);
    t.true(ratio > 0.6 && ratio < 2.5, `${ratio}`);
  });
  t.notDeepEqual(half, whole);
});

test('no interval of one patient a side, nor where all patients are the same', (t) => {
  const one = comparing(mini.real.slice(0, 1), mini.synthetic.slice(0, 1), 120, 5);
  const same = comparing(Array(9).fill(mini.real[0]), Array(9).fill(mini.real[0]), 120, 5);
  for (const cohorts of [one, same])
    t.true(drain(codePrevalence.compute({ ...cohorts, replicates: 30 })).rows.every((row) => !row.interval));
});

const shape = { keys: 30, patients: 150, simulations: 100 };
const real = Float64Array.from({ length: shape.keys }, (_, key) => 0.6 / (1 + key / 4));
const made = real.map((share, key) => Math.min(0.9, share * (key % 2 === 0 ? 1.3 : 0.75)));

/** Patients of one visit who have each code with its own chance, whatever else they have. */
const draw = (shares: Float64Array, source: RandomSource, simulation: number): VisitColumns => {
  const units = new Float64Array(shares.length * shape.patients);
  source.fill(units, 0, units.length, simulation);
  const patients = Array.from({ length: shape.patients }, (_, patient): Patient => {
    const own = [...shares.keys()].filter(
      (key) => (units[patient * shares.length + key] as number) < (shares[key] as number),
    );
    return { visits: [own], labels: [] };
  });
  return columnsAsWritten(patients);
};

const total = (of: (key: number) => number): number =>
  Array.from(real.keys(), of).reduce((sum, value) => sum + value, 0);

/** R² that cohorts of this size have on average: sums of squares with the variance of each share. */
const expected = (): number => {
  const noise = (share = 0) => (share * (1 - share)) / shape.patients;
  const mean = total((key) => real[key] ?? 0) / shape.keys;
  const apart = total(
    (key) => ((real[key] ?? 0) - (made[key] ?? 0)) ** 2 + noise(real[key]) + noise(made[key]),
  );
  const all = total((key) => ((real[key] ?? 0) - mean) ** 2 + noise(real[key]) * (1 - 1 / shape.keys));
  return 1 - apart / all;
};

test('intervals of R² hold the closed form about as often as they say', (t) => {
  const [a, b] = [new RandomSource(11, 'patients'), new RandomSource(12, 'patients')];
  let inside = 0;
  for (let simulation = 0; simulation < shape.simulations; simulation++) {
    const cohorts = { ...given, train: draw(real, a, simulation), synthetic: draw(made, b, simulation) };
    const { rows } = drain(codePrevalence.compute({ ...cohorts, seed: simulation, replicates: 100 }));
    const [low, high] = interval(rows, 'record-r2') ?? [Number.NaN, Number.NaN];
    if (low <= expected() && expected() <= high) inside++;
  }
  const share = inside / shape.simulations;
  t.true(share >= 0.88, `${share}`);
});

test('R² and Pearson: the influence of a patient is what counting the patient a little more often changes', (t) => {
  const { train, synthetic: made } = comparing(mini.real, mini.synthetic, 0, 5);
  const counts = countOccurrences(train, made, 'pairs');
  const sizes = { real: patientCount(train), synthetic: patientCount(made) };
  const layout = layOutKeys(counts, new Uint32Array(counts.first.length).fill(1), sizes);
  const entries = {
    real: patientEntries(train, counts, 'pairs', layout, 'real'),
    synthetic: patientEntries(made, counts, 'pairs', layout, 'synthetic'),
  };
  // Every patient 100 times, and one of them once more: a hundredth of a patient.
  const times = 100;
  const often = (columns: VisitColumns, more: number) => {
    const many = Array.from({ length: times }, () => [...Array(patientCount(columns)).keys()]).flat();
    return selectPatients(columns, more < 0 ? many : [...many, more]);
  };
  for (const viewOf of [recordView, visitView]) {
    const view = viewOf('pair', train, made);
    for (const statistic of ['r2', 'pearson'] as const) {
      const found = influenceOf(statistic, view, { counts, layout, part: 0 }, entries);
      t.true(Math.abs(found?.real.reduce((sum, moved) => sum + moved, 0) ?? 1) < 1e-9);
      const rowValue = (a: VisitColumns, b: VisitColumns) => {
        const row = drain(
          agreement(
            'pairs',
            { train: a, synthetic: b, seed: 0, replicates: 0 },
            countOccurrences(a, b, 'pairs'),
            [{ views: [viewOf('pair', a, b)] }],
          ),
        ).find((one) => one.row === `${view.row}-${statistic}`);
        return row?.value ?? Number.NaN;
      };
      const [a, b] = [often(train, -1), often(made, -1)];
      const before = rowValue(a, b);
      for (const patient of [0, 3]) {
        const ofReal = (rowValue(often(train, patient), b) - before) * times;
        const ofMade = (rowValue(a, often(made, patient)) - before) * times;
        const close = (x: number, y = Number.NaN) => Math.abs(x - y) < 5e-2 * Math.abs(y) + 1e-4;
        t.true(close(ofReal, found?.real[patient]), `${statistic}: ${ofReal} ${found?.real[patient]}`);
        t.true(
          close(ofMade, found?.synthetic[patient]),
          `${statistic}: ${ofMade} ${found?.synthetic[patient]}`,
        );
      }
    }
  }
});
