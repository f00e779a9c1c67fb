import test from 'ava';
import { drain, drainAsync } from '../../../pipelines/kernel/steps.ts';
import { scoreCohort } from '../../../pipelines/metrics/score-cohort.ts';
import demographics from '../../../pipelines/metrics/similarity/demographics.ts';
import fidelity from '../../../pipelines/metrics/similarity/subgroup-fidelity.ts';
import { subgroupsOf } from '../../../pipelines/metrics/statistics/subgroups.ts';
import { RecallTally } from '../../../pipelines/metrics/utility/engine/recall.ts';
import type { VisitColumns } from '../../../pipelines/patients/visit-columns.ts';
import { noPatients, recordsOf } from '../../helpers/patients.ts';

interface Person {
  sex?: string;
  age?: number;
  visits: number[][];
}

const people = (patients: readonly Person[]): VisitColumns => ({
  ...recordsOf(patients.map(({ visits }) => visits)),
  demographics: {
    sex: {
      kind: 'categorical',
      levels: ['M', 'F', 'X'],
      values: Int32Array.from(patients, ({ sex = '' }) => ['M', 'F', 'X'].indexOf(sex)),
    },
    age: { kind: 'numeric', values: Float32Array.from(patients, ({ age = Number.NaN }) => age) },
  },
});

/** `count` patients each of a sex, the p-th with the codes that `codes` gives. */
const group = (sex: string, count: number, codes: (p: number) => number[]): Person[] =>
  Array.from({ length: count }, (_, p) => ({ sex, age: 30 + (p % 40), visits: [codes(p)] }));

const women = (p: number) => [0, 1, ...(p % 3 === 0 ? [4] : [])];
const men = (p: number) => [2, 3, ...(p % 4 === 0 ? [5] : [])];

const real = people([...group('F', 60, women), ...group('M', 40, men), ...group('X', 3, men)]);

const vocabulary = {
  codes: Array.from({ length: 6 }, (_, i) => ({ modality: 'dx' as const, code: `${i}` })),
  labels: [],
};

const input = (synthetic: VisitColumns, replicates = 0) => ({
  ...{ vocabulary, train: real, validation: noPatients, holdout: noPatients, synthetic },
  ...{ rows: [], seed: 1, replicates },
});

const demographicRows = (synthetic: VisitColumns, replicates = 0) => {
  const options = demographics.options?.parse({}) ?? { leastPatients: 20, codes: 100 };
  const { rows } = drain(demographics.compute({ ...input(synthetic, replicates), options }));
  return new Map(rows.map((row) => [row.row, row]));
};

const fidelityRows = (synthetic: VisitColumns, replicates = 0) => {
  const options = fidelity.options?.parse({ facts: ['sex'] }) ?? { facts: ['sex'], leastPatients: 20 };
  const { rows } = drain(fidelity.compute({ ...input(synthetic, replicates), options }));
  return new Map(rows.map((row) => [row.row, row]));
};

test('groups are the levels and age bands that enough patients have, under the same names on both sides', (t) => {
  const groups = subgroupsOf(real, ['sex', 'age', 'height'], 20);
  t.deepEqual(
    groups.map(({ name }) => name),
    ['sex F', 'sex M', 'age 18 to 44', 'age 45 to 64'],
  );
  t.deepEqual([...(groups[0]?.members(people([{ visits: [] }, { sex: 'F', visits: [] }])) ?? [])], [1]);
  t.is(groups[0]?.members(recordsOf([[[0]]])), undefined);
  t.deepEqual(subgroupsOf(recordsOf([[[0]]]), ['sex'], 1), []);
});

test('demographics: distances are total variation, and a copy has none', (t) => {
  const same = demographicRows(real);
  for (const row of ['distance', 'pair-distance', 'distance: sex', 'distance: age'])
    t.is(same.get(row)?.value, 0, row);
  t.is(same.get('code-differences')?.value, 1);
  // Women 60 of 103 and 40 of 100, men 40 and 60; the three others are the rest.
  const other = demographicRows(people([...group('F', 40, women), ...group('M', 60, men)]));
  const expected = (Math.abs(60 / 103 - 0.4) + Math.abs(40 / 103 - 0.6) + 3 / 103) / 2;
  t.true(Math.abs((other.get('distance: sex')?.value ?? 0) - expected) < 1e-12);
  const [low = 1, high = 0] =
    demographicRows(people([...group('F', 40, women), ...group('M', 60, men)]), 100).get('distance: sex')
      ?.interval ?? [];
  t.true(low < expected && expected < high);
});

test('demographics: who ignores sex has no difference of codes by sex; without facts there is a sentence', (t) => {
  const blind = [
    ...group('F', 60, (p) => (p % 2 ? women(p) : men(p))),
    ...group('M', 40, (p) => (p % 2 ? women(p) : men(p))),
  ];
  const found = demographicRows(people(blind));
  t.true((found.get('code-differences: sex')?.value ?? 1) < 0.2);
  t.true((found.get('distance: sex')?.value ?? 1) < 0.03);
  const none = demographicRows(recordsOf([[[0]]]));
  t.is(none.get('distance: sex')?.value, null);
  t.regex(none.get('distance: sex')?.note ?? '', /have no sex\./);
});

test('subgroup fidelity: the worst group is found, with its distance from the whole', (t) => {
  const same = fidelityRows(real);
  for (const row of ['codes: sex F', 'codes: sex M', 'pairs: sex F', 'codes-worst'])
    t.is(same.get(row)?.value, 1, row);
  t.is(same.get('codes-gap')?.value, 0);
  t.false(same.has('codes: sex X'), 'three patients are no group');
  // All codes are about as frequent as they should be, but half of the men have those of women, and as many women of men.
  const mixed = people([
    ...group('F', 60, (p) => (p < 20 ? men(p) : women(p))),
    ...group('M', 40, (p) => (p < 20 ? women(p) : men(p))),
  ]);
  const found = fidelityRows(mixed, 40);
  t.true((found.get('codes: sex F')?.value ?? 1) > (found.get('codes: sex M')?.value ?? 1));
  const worst = found.get('codes: sex M')?.value ?? 1;
  t.true(worst < 0.5, `${worst}`);
  t.is(found.get('codes-worst')?.value, worst);
  t.is(found.get('codes-worst')?.note, 'It is sex M.');
  t.true((found.get('codes-gap')?.value ?? 0) > 0.5);
  t.truthy(found.get('codes-worst')?.interval);
  const none = fidelityRows(recordsOf([[[0]]]));
  t.regex(none.get('codes-worst')?.note ?? '', /have no sex\./);
});

test('groups of few patients are suppressed in a scorecard', async (t) => {
  const { card } = await drainAsync(
    scoreCohort({
      generator: 'somebody',
      ...input(people([...group('F', 60, women), ...group('M', 40, men)])),
      metrics: [fidelity],
      options: { 'subgroup-fidelity': { facts: ['sex'], leastPatients: 2 } },
      suppressBelow: 11,
    }),
  );
  const suppressed = card.rows.filter((row) => row.suppressed).map(({ row }) => row);
  t.true(suppressed.includes('codes: sex X') && suppressed.includes('pairs: sex X'));
  t.false(suppressed.includes('codes: sex M'));
});

test('recalls of some patients alone, and their differences', (t) => {
  const [made, real] = [new RecallTally(), new RecallTally()];
  for (const patient of [0, 1, 2, 3]) {
    made.add(patient, patient < 2 ? [1] : [2], [1]);
    real.add(patient, [1], [1]);
  }
  const gap = (patients: number[]) => {
    const own = new Set(patients);
    return made.among(own).less(real.among(own), 1, 0)[10].value;
  };
  t.deepEqual([gap([0, 1]), gap([2, 3]), gap([1, 2])], [0, -1, -0.5]);
  t.is(made.among(new Set([3, 9])).patients, 1);
});
