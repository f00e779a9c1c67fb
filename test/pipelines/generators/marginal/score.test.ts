import test from 'ava';
import { scoreByMarginals } from '../../../../pipelines/generators/marginal/score.ts';
import { drainAsync } from '../../../../pipelines/kernel/steps.ts';
import { VisitColumnsBuilder } from '../../../../pipelines/patients/visit-columns.ts';

const marginals = {
  codes: Float64Array.of(0.75, 0.2, 0, 1),
  labels: Float64Array.of(0.6, 0.1),
  visitsUpTo: Float64Array.of(0.1, 0.3, 0.3, 1),
  visits: Float64Array.of(20),
};

const columns = (patients: [number[][], number[]][]) => {
  const builder = new VisitColumnsBuilder();
  for (const [visits, labels] of patients) builder.addPatient(visits, labels);
  return builder.build();
};

const near = (value: number | undefined, expected: number): boolean =>
  Math.abs((value ?? Number.NaN) - expected) < 1e-12;

test('the probability of a record is the product of its decisions', async (t) => {
  const scores = await drainAsync(
    scoreByMarginals(
      marginals,
      columns([
        [[[0, 3]], [1, 0]],
        [
          [[3], [0, 1, 3], [0, 3]],
          [0, 1],
        ],
        [[], [0, 0]],
      ]),
    ),
  );
  const log = scores.logProbability;
  t.true(near(log[0], Math.log(0.6 * 0.9 * 0.2 * (0.75 * 0.8))));
  t.true(near(log[1], Math.log(0.4 * 0.1 * 0.7 * (0.25 * 0.8) * (0.75 * 0.2) * (0.75 * 0.8))));
  t.true(near(log[2], Math.log(0.4 * 0.9 * 0.1)));
  t.deepEqual([...scores.cells], [2 + 5, 2 + 15, 2]);
  t.deepEqual([...scores.positives], [4, 8, 0]);
  // Patient 1: codes 0 and 3 are called in every visit, label 0 too, and the end after the third.
  t.deepEqual([...scores.truePositives], [3, 6, 0]);
  t.deepEqual([...scores.falsePositives], [0, 2, 1]);
});

test('what no training patient showed cannot be drawn', async (t) => {
  const scores = await drainAsync(
    scoreByMarginals(
      marginals,
      columns([
        [[[2, 3]], [0, 0]],
        [[[0]], [0, 0]],
        [
          [[3], [3]],
          [0, 0],
        ],
        [
          [[3], [3], [3], [3]],
          [0, 0],
        ],
      ]),
    ),
  );
  t.deepEqual([...scores.logProbability], Array(4).fill(Number.NEGATIVE_INFINITY));
});
