/**
 * Unigram, bigram and sequential statistics: ours against a straightforward port of their definition (maps keyed
 * by strings, a set per patient), in one run; CPU seconds, which other work on the machine disturbs least.
 * `node bench/similarity.ts [patients]`; 46,520 as in MIMIC-III.
 */
import { patientCount, type VisitColumns, visitCount } from '../pipelines/cohort/visit-columns.ts';
import { drain } from '../pipelines/measure.ts';
import codePairs from '../pipelines/metrics/similarity/code-pairs.ts';
import codePrevalence from '../pipelines/metrics/similarity/code-prevalence.ts';
import codesPerVisit from '../pipelines/metrics/similarity/codes-per-visit.ts';
import labelPrevalence from '../pipelines/metrics/similarity/label-prevalence.ts';
import sequentialPairs from '../pipelines/metrics/similarity/sequential-pairs.ts';
import visitsPerRecord from '../pipelines/metrics/similarity/visits-per-record.ts';
import { simulatedCohort } from './simulated-cohort.ts';

const patients = Number(process.argv[2] ?? 46_520);

const visitsOf = ({ visitOffsets, codeOffsets, codes }: VisitColumns, patient: number): number[][] => {
  const visits: number[][] = [];
  for (let v = visitOffsets[patient] as number; v < (visitOffsets[patient + 1] as number); v++)
    visits.push([...codes.subarray(codeOffsets[v], codeOffsets[v + 1])]);
  return visits;
};

type Tables = Record<
  'code' | 'pair' | 'sequence',
  { visit: Map<string, number>; record: Map<string, number> }
>;

/** The definition, word for word. */
const countedPlainly = (columns: VisitColumns): Tables => {
  const table = () => ({ visit: new Map<string, number>(), record: new Map<string, number>() });
  const tables: Tables = { code: table(), pair: table(), sequence: table() };
  const add = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);
  for (let patient = 0; patient < patientCount(columns); patient++) {
    const seen = { code: new Set<string>(), pair: new Set<string>(), sequence: new Set<string>() };
    const meet = (kind: keyof Tables, key: string) => {
      add(tables[kind].visit, key);
      seen[kind].add(key);
    };
    const visits = visitsOf(columns, patient);
    visits.forEach((visit, j) => {
      for (const code of visit) meet('code', `${code}`);
      visit.forEach((a, i) => {
        for (const b of visit.slice(i + 1)) meet('pair', `${a},${b}`);
      });
      for (const a of visits[j - 1] ?? []) for (const b of visit) meet('sequence', `${a},${b}`);
    });
    for (const kind of ['code', 'pair', 'sequence'] as const)
      for (const key of seen[kind]) add(tables[kind].record, key);
  }
  return tables;
};

const plainR2 = (a: Map<string, number>, b: Map<string, number>, totalA: number, totalB: number): number => {
  const keys = [...new Set([...a.keys(), ...b.keys()])];
  const x = keys.map((key) => (a.get(key) ?? 0) / totalA);
  const y = keys.map((key) => (b.get(key) ?? 0) / totalB);
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const residual = x.reduce((sum, value, i) => sum + (value - (y[i] ?? 0)) ** 2, 0);
  return 1 - residual / x.reduce((sum, value) => sum + (value - mean) ** 2, 0);
};

const plainly = (real: VisitColumns, synthetic: VisitColumns): number[] => {
  const [a, b] = [countedPlainly(real), countedPlainly(synthetic)];
  return (['code', 'pair', 'sequence'] as const).flatMap((kind) => {
    const less = kind === 'sequence' ? 1 : 0;
    const adjacent = (columns: VisitColumns) => visitCount(columns) - less * patientCount(columns);
    return [
      plainR2(a[kind].record, b[kind].record, patientCount(real), patientCount(synthetic)),
      plainR2(a[kind].visit, b[kind].visit, adjacent(real), adjacent(synthetic)),
    ];
  });
};

const timed = <T>(name: string, work: () => T): { seconds: number; result: T } => {
  const start = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(start);
  const seconds = (user + system) / 1e6;
  const peak = process.resourceUsage().maxRSS / 1024 ** 2;
  console.log(
    `${name.padEnd(44)} ${seconds.toFixed(2).padStart(8)} s of CPU   peak so far ${peak.toFixed(2)} GiB`,
  );
  return { seconds, result };
};

const vocabulary = {
  codes: Array.from({ length: 6841 }, (_, i) => ({ modality: 'dx' as const, code: String(i) })),
  labels: Array.from({ length: 25 }, (_, i) => `L${i}`),
};
const real = simulatedCohort(patients, 1);
const synthetic = simulatedCohort(patients, 2);
const nobody = simulatedCohort(0, 0);
const comparison = {
  vocabulary,
  train: real,
  validation: nobody,
  holdout: nobody,
  synthetic,
  rows: [],
  options: {},
  seed: 0,
  replicates: 0,
};
console.log(`${patients} patients, ${visitCount(real)} visits, ${real.codes.length} codes a side`);

timed('lengths and labels', () => [
  drain(codesPerVisit.compute(comparison)),
  drain(visitsPerRecord.compute(comparison)),
  drain(labelPrevalence.compute(comparison)),
]);
const ours = timed('ours: counts, R², Pearson, Spearman, series', () =>
  [codePrevalence, codePairs, sequentialPairs].flatMap((metric) => {
    const { rows } = drain(metric.compute(comparison));
    const value = (row: string) => rows.find((found) => found.row === row)?.value ?? Number.NaN;
    return [value('record-r2'), value('visit-r2')];
  }),
);
const theirs = timed('port of the definition: counts, R²', () => plainly(real, synthetic));
const apart = Math.max(...ours.result.map((value, i) => Math.abs(value - (theirs.result[i] ?? Number.NaN))));
console.log(`greatest difference of the six R²: ${apart.toExponential(1)}`);
console.log(`ratio: ${(theirs.seconds / ours.seconds).toFixed(1)}`);
