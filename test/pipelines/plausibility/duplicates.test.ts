import test from 'ava';
import duplicates from '../../../pipelines/metrics/similarity/duplicates.ts';
import { commonestShare, recordGroups, twinShare } from '../../../pipelines/plausibility/duplicates.ts';
import { columnsAsWritten, comparing, type Patient } from '../metrics/golden-cohorts.ts';

const patients = (...records: number[][][]): Patient[] => records.map((visits) => ({ visits, labels: [] }));

const some = patients([[1, 2], [3]], [[1, 2], [3]], [[1, 2]], [[1, 2, 3]], [[1], [2, 3]], [[1, 2]], [[1, 2]]);

/** Mean share of twins over all subsets of a size, one after the other. */
const bruteForce = (records: readonly string[], size: number): number => {
  let sum = 0;
  let subsets = 0;
  for (let mask = 0; mask < 2 ** records.length; mask++) {
    const chosen = records.filter((_, i) => (mask & (1 << i)) !== 0);
    if (chosen.length !== size) continue;
    subsets++;
    sum += chosen.filter((a) => chosen.filter((b) => a === b).length > 1).length / size;
  }
  return sum / subsets;
};

test('the expected share of twins is the mean over all subsets', (t) => {
  const groups = recordGroups(columnsAsWritten(some), 1);
  t.deepEqual([...groups.sizes], [1, 1, 2, 3]);
  const records = some.map(({ visits }) => JSON.stringify(visits));
  for (let size = 1; size <= some.length; size++)
    t.true(Math.abs((twinShare(groups, size) ?? 0) - bruteForce(records, size)) < 1e-12, `${size}`);
  t.is(twinShare(groups, 8), null);
  t.is(twinShare(recordGroups(columnsAsWritten([]), 1), 0), null);
  t.is(commonestShare(groups), 3 / 7);
});

test('patients without a code are no twins, and short records can be left out', (t) => {
  const empty = patients([], [], [[]], [[], []], [[4]]);
  t.deepEqual(recordGroups(columnsAsWritten(empty), 1), { sizes: Int32Array.of(1), n: 1 });
  t.deepEqual([...recordGroups(columnsAsWritten(some), 2).sizes], [1, 2]);
});

test('cohorts are compared at the size of the smallest', (t) => {
  const real = patients(...Array.from({ length: 30 }, (_, i) => [[i], [i + 1]]));
  const repeated = patients(...Array.from({ length: 60 }, (_, i) => [[i % 6], [1]]));
  const { rows } = duplicates.compute({
    ...comparing(real, repeated, 60, 0),
    holdout: columnsAsWritten(real.slice(0, 10)),
    options: {},
  });
  const share = rows.find(({ row }) => row === 'share');
  t.regex(share?.about ?? '', /among 10 of them/);
  t.deepEqual([share?.real, share?.holdout, share?.n], [0, 0, 60]);
  const value = share?.value ?? 0;
  t.true(value > 0.7 && value < 1, `${value}`);
  t.is(rows.find(({ row }) => row === 'commonest')?.value, 1 / 6);
});
