import test from 'ava';
import { scoreByMarginals } from '../../../../pipelines/generators/marginal/score.ts';
import marginal from '../../../../pipelines/generators/marginal.ts';
import { drainAsync } from '../../../../pipelines/kernel/steps.ts';
import { columnsOf } from '../../../helpers/patients.ts';

const marginals = {
  codes: Float64Array.of(0.75, 0.2, 0, 1),
  labels: Float64Array.of(0.6, 0.1),
  visitsUpTo: Float64Array.of(0.1, 0.3, 0.3, 1),
  visits: Float64Array.of(20),
};

const columns = (patients: [number[][], number[]][]) =>
  columnsOf(patients.map(([visits, labels]) => ({ visits, labels })));

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

test('fits 200,000 patients, more than a call takes arguments', async (t) => {
  const patients = 200_000;
  const visits = Int32Array.from({ length: patients }, (_, p) => p % 3);
  const visitOffsets = new Int32Array(patients + 1);
  visits.forEach((count, p) => {
    visitOffsets[p + 1] = (visitOffsets[p] as number) + count;
  });
  const codeOffsets = new Int32Array((visitOffsets.at(-1) as number) + 1);
  const train = { visitOffsets, codeOffsets, codes: new Int32Array(0), labels: new Uint8Array(0) };
  const vocabulary = { codes: [{ modality: 'dx' as const, code: '4019' }], labels: [] };
  const data = { vocabulary, train, validation: train };
  const fitting = await marginal.fit(data, {}, 1);
  await fitting.step();
  const { arrays } = await fitting.model();
  const share = (most: number) => visits.filter((count) => count <= most).length / patients;
  t.deepEqual(arrays['visitsUpTo']?.data, Float64Array.of(share(0), share(1), share(2)));
});
