import test from 'ava';
import { drain } from '../../../pipelines/kernel/steps.ts';
import { divisor } from '../../../pipelines/metrics/rows/agreement-rows.ts';
import codePairs from '../../../pipelines/metrics/similarity/code-pairs.ts';
import codePrevalence from '../../../pipelines/metrics/similarity/code-prevalence.ts';
import codesPerVisit from '../../../pipelines/metrics/similarity/codes-per-visit.ts';
import labelPrevalence from '../../../pipelines/metrics/similarity/label-prevalence.ts';
import sequentialPairs from '../../../pipelines/metrics/similarity/sequential-pairs.ts';
import visitsPerRecord from '../../../pipelines/metrics/similarity/visits-per-record.ts';
import { countOccurrences } from '../../../pipelines/metrics/statistics/occurrence-counts.ts';
import type { Keys } from '../../../pipelines/metrics/statistics/postings.ts';
import { patientCount, type VisitColumns, visitCount } from '../../../pipelines/patients/visit-columns.ts';
import { cases, columnsAsWritten, comparing, golden } from './golden-cohorts.ts';
import { pearson, r2 } from './statistics/plain-agreement.ts';

type Key = number | [number, number];
interface Side {
  n_keys: number;
  sum: number;
  sum_sq: number;
  top40: [Key, number][];
  all?: [Key, number][];
}
interface Case {
  n_real: number;
  n_syn_after_filter: number;
  aggregate_real: Record<string, number>;
  aggregate_syn: Record<string, number>;
  label_probabilities_real: Record<string, number>;
  label_probabilities_syn: Record<string, number>;
  r2: Record<string, number>;
  tables: Record<
    string,
    {
      real: Side;
      syn: Side;
      n_union_keys: number;
      aux_not_reference: { pearson_r2: number; r2_swapped_args: number; rmse: number };
    }
  >;
}
const expected = golden<{ similarity: Record<string, Case> }>('golden_similarity.json').similarity;

const tables: { name: string; keys: Keys; per: 'Record' | 'Visit'; sequential?: true }[] = [
  { name: 'Per Record Code Probabilities', keys: 'codes', per: 'Record' },
  { name: 'Per Visit Code Probabilities', keys: 'codes', per: 'Visit' },
  { name: 'Per Record Bigram Probabilities', keys: 'pairs', per: 'Record' },
  { name: 'Per Visit Bigram Probabilities', keys: 'pairs', per: 'Visit' },
  { name: 'Per Record Sequential Visit Bigram Probabilities', keys: 'sequences', per: 'Record' },
  {
    name: 'Per Visit Sequential Visit Bigram Probabilities',
    keys: 'sequences',
    per: 'Visit',
    sequential: true,
  },
];

const isClose = (found: number, wanted: number, absolute = 0): boolean =>
  Math.abs(found - wanted) <= Math.max(1e-12 * Math.abs(wanted), absolute);

const columns = (name: string): { real: VisitColumns; synthetic: VisitColumns } => {
  const found = cases[name];
  if (!found) throw new Error(`no cohorts for golden case ${name}`);
  return { real: columnsAsWritten(found.real), synthetic: columnsAsWritten(found.synthetic) };
};

const value = (rows: { row: string; value: number | null }[], row: string): number =>
  rows.find((candidate) => candidate.row === row)?.value ?? Number.NaN;

for (const [name, wanted] of Object.entries(expected)) {
  const { real, synthetic } = columns(name);
  const comparison = {
    ...comparing([], [], 600, real.labels.length / patientCount(real)),
    train: real,
    synthetic,
  };

  test(`${name}: the reference rows equal the reference's R²`, (t) => {
    const rows = Object.fromEntries(
      [codePrevalence, codePairs, sequentialPairs].map((m) => [m.name, drain(m.compute(comparison)).rows]),
    );
    const found: Record<string, number> = {
      'Per Record Code Probabilities': value(rows['code-prevalence'] ?? [], 'reference-record-r2'),
      'Per Visit Code Probabilities': value(rows['code-prevalence'] ?? [], 'visit-r2'),
      'Per Record Bigram Probabilities': value(rows['code-pairs'] ?? [], 'reference-record-r2'),
      'Per Visit Bigram Probabilities': value(rows['code-pairs'] ?? [], 'visit-r2'),
      'Per Record Sequential Visit Bigram Probabilities': value(
        rows['sequential-pairs'] ?? [],
        'reference-record-r2',
      ),
      'Per Visit Sequential Visit Bigram Probabilities': value(
        rows['sequential-pairs'] ?? [],
        'reference-visit-r2',
      ),
    };
    for (const [table, number] of Object.entries(wanted.r2))
      t.true(isClose(found[table] ?? Number.NaN, number), `${table}: ${found[table]} is not ${number}`);
  });

  test(`${name}: every probability table equals the reference's`, (t) => {
    const kept = divisor(synthetic, 'present').total;
    t.is(kept, wanted.n_syn_after_filter);
    for (const { name: table, keys, per, sequential } of tables) {
      const golden = wanted.tables[table];
      if (!golden) throw new Error(`no golden table ${table}`);
      const counts = countOccurrences(real, synthetic, keys);
      t.is(counts.first.length, golden.n_union_keys);
      const probabilities = (side: 'real' | 'synthetic') => {
        const cohort = side === 'real' ? real : synthetic;
        const patients = side === 'real' ? patientCount(real) : kept;
        const visits = visitCount(cohort) - (sequential ? patients : 0);
        return per === 'Record'
          ? Float64Array.from(counts[side].patients, (count) => count / patients)
          : Float64Array.from(counts[side].occurrences, (count) => count / visits);
      };
      const ours = { real: probabilities('real'), syn: probabilities('synthetic') };
      for (const side of ['real', 'syn'] as const) {
        const byKey = new Map<string, number>();
        ours[side].forEach((probability, i) => {
          const key = keys === 'codes' ? `${counts.first[i]}` : `${counts.first[i]},${counts.second[i]}`;
          if (probability > 0) byKey.set(key, probability);
        });
        t.is(byKey.size, golden[side].n_keys, `${table}, ${side}: number of keys`);
        for (const [key, probability] of golden[side].all ?? golden[side].top40)
          t.true(isClose(byKey.get(String(key)) ?? 0, probability), `${table}, ${side}: key ${key}`);
        const sum = ours[side].reduce((total, p) => total + p, 0);
        const squares = ours[side].reduce((total, p) => total + p * p, 0);
        t.true(isClose(sum, golden[side].sum, 1e-10));
        t.true(isClose(squares, golden[side].sum_sq, 1e-10));
      }
      const aux = golden.aux_not_reference;
      t.true(isClose((pearson(ours.real, ours.syn) ?? Number.NaN) ** 2, aux.pearson_r2, 1e-12));
      t.true(isClose(r2(ours.syn, ours.real) ?? Number.NaN, aux.r2_swapped_args, 1e-12));
    }
  });

  test(`${name}: lengths and labels equal the reference's`, (t) => {
    const visits = drain(visitsPerRecord.compute(comparison)).rows;
    const codes = drain(codesPerVisit.compute(comparison)).rows;
    const real = (rows: typeof visits, row: string) => rows.find((r) => r.row === row)?.real ?? Number.NaN;
    for (const [rows, prefix, what] of [
      [visits, 'reference-', 'Record'],
      [codes, '', 'Visit'],
    ] as const)
      for (const [row, title] of [
        ['mean', 'Mean'],
        ['sd', 'Standard Deviation'],
      ] as const) {
        const key = `${what} Length ${title}`;
        t.true(isClose(value(rows, `${prefix}${row}`), wanted.aggregate_syn[key] ?? Number.NaN), key);
        t.true(isClose(real(rows, `${prefix}${row}`), wanted.aggregate_real[key] ?? Number.NaN), key);
      }
    const found = cases[name]?.synthetic.filter((patient) => patient.visits.length > 0) ?? [];
    const labels = drain(labelPrevalence.compute({ ...comparison, synthetic: columnsAsWritten(found) })).rows;
    const rowsOf = labels.filter((row) => row.row.startsWith('label: '));
    const wantedReal = Object.values(wanted.label_probabilities_real);
    const wantedSynthetic = Object.values(wanted.label_probabilities_syn);
    t.is(rowsOf.length, wantedReal.length - 1, 'the reference adds a row for everybody');
    rowsOf.forEach((row, i) => {
      t.true(isClose(row.value ?? Number.NaN, wantedSynthetic[i] ?? Number.NaN), row.row);
      t.true(isClose(row.real ?? Number.NaN, wantedReal[i] ?? Number.NaN), row.row);
    });
  });
}
