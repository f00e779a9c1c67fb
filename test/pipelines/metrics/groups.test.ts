import test from 'ava';
import { drain, drainAsync } from '../../../pipelines/kernel/steps.ts';
import type { MetricInput, PartialRow } from '../../../pipelines/metrics/metric.ts';
import { stratify } from '../../../pipelines/metrics/rows/frequency-groups.ts';
import codePairs from '../../../pipelines/metrics/similarity/code-pairs.ts';
import pairsByFrequency from '../../../pipelines/metrics/similarity/code-pairs-by-frequency.ts';
import pairsByModality from '../../../pipelines/metrics/similarity/code-pairs-by-modality.ts';
import codePrevalence from '../../../pipelines/metrics/similarity/code-prevalence.ts';
import codesByFrequency from '../../../pipelines/metrics/similarity/code-prevalence-by-frequency.ts';
import codesByModality from '../../../pipelines/metrics/similarity/code-prevalence-by-modality.ts';
import lengthsByModality from '../../../pipelines/metrics/similarity/codes-per-visit-by-modality.ts';
import crossPairs from '../../../pipelines/metrics/similarity/cross-modality-pairs.ts';
import discriminator from '../../../pipelines/metrics/similarity/discriminator.ts';
import sequentialPairs from '../../../pipelines/metrics/similarity/sequential-pairs.ts';
import sequencesByFrequency from '../../../pipelines/metrics/similarity/sequential-pairs-by-frequency.ts';
import sequencesByModality from '../../../pipelines/metrics/similarity/sequential-pairs-by-modality.ts';
import { type VisitColumns, VisitColumnsBuilder } from '../../../pipelines/patients/visit-columns.ts';
import { cases, comparing, golden, type Patient } from './golden-cohorts.ts';

const mini = cases['mini_a40_vs_b40_full_tables'] ?? { real: [], synthetic: [] };
const { options: _, ...given } = comparing(mini.real, mini.synthetic, 120, 5);
const cuts = { head: 0.1, torso: 0.5 };
const input = { ...given, options: {} };
const cutInput = { ...given, options: cuts };

const byName = (rows: readonly PartialRow[]) => new Map(rows.map((row) => [row.row, row]));
const size = (rows: readonly PartialRow[], groups: readonly string[]): number =>
  groups.reduce((sum, group) => sum + (byName(rows).get(`${group}-record-r2`)?.n ?? Number.NaN), 0);

test('keys that tie are not parted by a cut, and those no real patient has are rare', (t) => {
  const counts = Uint32Array.of(9, 8, 8, 5, 3, 3, 3, 1, 1, 1, 0, 0);
  const found = [...stratify(counts, { head: 0.2, torso: 0.5 })];
  t.deepEqual(found, [0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2], 'two of ten ranks would part the eights');
  t.deepEqual([...stratify(counts, { head: 0.3, torso: 1 })], [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2]);
  t.deepEqual([...stratify(Uint32Array.of(2, 2), cuts)], [2, 2], 'all tie: none is more frequent');
  t.deepEqual([...stratify(new Uint32Array(0), cuts)], []);
});

test('head, torso and rare keys are all keys, and each is one', (t) => {
  const frequency = ['head', 'torso', 'rare'];
  for (const [whole, parts] of [
    [drain(codePrevalence.compute(input)), drain(codesByFrequency.compute(cutInput))],
    [drain(codePairs.compute(input)), drain(pairsByFrequency.compute(cutInput))],
    [drain(sequentialPairs.compute(input)), drain(sequencesByFrequency.compute(cutInput))],
  ] as const) {
    t.is(size(parts.rows, frequency), byName(whole.rows).get('record-r2')?.n ?? 0);
    t.is(parts.rows.length, 18);
  }
});

/** The cohort without the codes of other modalities; visits stay. */
const only = (columns: VisitColumns, wanted: string): VisitColumns => {
  const builder = new VisitColumnsBuilder();
  for (let p = 1; p < columns.visitOffsets.length; p++) {
    const visits: number[][] = [];
    for (let v = columns.visitOffsets[p - 1] as number; v < (columns.visitOffsets[p] as number); v++)
      visits.push(
        [...columns.codes.subarray(columns.codeOffsets[v], columns.codeOffsets[v + 1])].filter(
          (token) => input.vocabulary.codes[token]?.modality === wanted,
        ),
      );
    builder.addPatient(visits, []);
  }
  return builder.build();
};

test('a modality’s rows are those of the cohort that has no other codes', (t) => {
  for (const modality of ['dx', 'px', 'rx']) {
    const alone = {
      ...input,
      train: only(input.train, modality),
      synthetic: only(input.synthetic, modality),
    };
    for (const [whole, parts] of [
      [drain(codePrevalence.compute(alone)), drain(codesByModality.compute(input))],
      [drain(codePairs.compute(alone)), drain(pairsByModality.compute(input))],
      [drain(sequentialPairs.compute(alone)), drain(sequencesByModality.compute(input))],
    ] as const)
      for (const view of ['record', 'visit'])
        for (const statistic of ['r2', 'pearson', 'spearman']) {
          const wanted = byName(whole.rows).get(`${view}-${statistic}`);
          const found = byName(parts.rows).get(`${modality}-${view}-${statistic}`);
          t.deepEqual(
            [found?.value, found?.n],
            [wanted?.value, wanted?.n],
            `${modality} ${view} ${statistic}`,
          );
        }
  }
});

test('pairs of one and of two modalities are all pairs', (t) => {
  const within = drain(pairsByModality.compute(input)).rows;
  const across = drain(crossPairs.compute(input)).rows;
  const all = byName(drain(codePairs.compute(input)).rows).get('record-r2')?.n;
  t.is(size(within, ['dx', 'px', 'rx']) + size(across, ['all']), all ?? 0);
  t.is(size(across, ['dx-px', 'dx-rx', 'px-rx']), size(across, ['all']));
});

test('a modality that the vocabulary lacks is one row with a sentence', (t) => {
  const rows = [
    ...drain(codesByModality.compute(input)).rows,
    ...drain(crossPairs.compute(input)).rows,
    ...drain(lengthsByModality.compute(input)).rows,
  ];
  t.deepEqual(
    rows.filter(({ row }) => row.includes('lab')).map(({ row, value, note }) => [row, value, note]),
    [
      ['lab-record-r2', null, 'The vocabulary has no lab tests.'],
      ['dx-lab-record-r2', null, 'The vocabulary has no lab tests.'],
      ['px-lab-record-r2', null, 'The vocabulary has no lab tests.'],
      ['rx-lab-record-r2', null, 'The vocabulary has no lab tests.'],
      ['lab-wasserstein', null, 'The vocabulary has no lab tests.'],
    ],
  );
});

test('codes per visit of each modality add up to codes per visit', (t) => {
  const rows = byName(drain(lengthsByModality.compute(input)).rows);
  const codes = input.synthetic.codes.length / (input.synthetic.codeOffsets.length - 1);
  const sum = ['dx', 'px', 'rx'].reduce((all, name) => all + (rows.get(`${name}-mean`)?.value ?? 0), 0);
  t.true(Math.abs(sum - codes) < 1e-9);
  t.true((rows.get('px-without')?.value ?? 0) > 0);
});

const split = golden<Record<'train' | 'test', Patient[]>>('split.json');

test('copies of the real patients: an AUC below 0.5 is as far from guessing as one above, and is no evidence of copies', async (t) => {
  const patients = split.train.slice(0, 100);
  const { options: none, ...same }: MetricInput = {
    ...comparing(patients, patients, 120, 5),
    replicates: 50,
  };
  const options = discriminator.options?.parse({});
  t.truthy(options);
  if (!options) return;
  const rows = byName((await drainAsync(discriminator.compute({ ...same, options }))).rows);
  const auc = rows.get('auc')?.value ?? 1;
  t.true(auc < 0.5);
  t.is(rows.get('gain')?.value, Math.abs(2 * auc - 1));
  const [low, high] = rows.get('gain')?.interval ?? [0, 0];
  t.true(low > 0 && low < 1 - 2 * auc && high > 1 - 2 * auc);
  t.regex(rows.get('auc')?.note ?? '', /^Below guessing, which is no success/);
  t.notRegex(rows.get('auc')?.note ?? '', /real patients have copies/);
});
