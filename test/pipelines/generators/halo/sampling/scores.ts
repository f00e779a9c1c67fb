import type { TestFn } from 'ava';
import type { PatientScores } from '../../../../../pipelines/generation/generator.ts';
import { layoutOf } from '../../../../../pipelines/generation/record-sets.ts';
import { packPatients } from '../../../../../pipelines/generators/halo/network/batch.ts';
import { haloSampler } from '../../../../../pipelines/generators/halo/sampling/sampler.ts';
import { drainAsync } from '../../../../../pipelines/kernel/steps.ts';
import { deviceArrays } from '../../../../../pipelines/nn/ops/open-ops.ts';
import type { VisitColumns } from '../../../../../pipelines/patients/visit-columns.ts';
import { goldenHalo, openTiny, tiny } from '../network/golden.ts';

const scoresOf = async (columns: VisitColumns): Promise<PatientScores> => {
  const sampler = haloSampler(await openTiny(13));
  const scores = await drainAsync(sampler.score(columns));
  sampler.dispose();
  return scores;
};

const total = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, v) => sum + v, 0);

/** Checks of `score` against the reference's test_model.py and its membership attack, on one backend. */
export const testHaloScores = (test: TestFn, start: () => Promise<unknown>): void => {
  test.serial.before(async () => {
    await start();
  });

  test.serial('log-probabilities and test metrics equal the reference’s', async (t) => {
    const { columns, ...golden } = await goldenHalo();
    const before = deviceArrays();
    const { reference, cut } = await scoresOf(columns);
    t.is(deviceArrays(), before);
    t.is(cut, 0);
    if (!reference) throw new Error('no counts as in the reference');
    const { logProbability, cells, positives, truePositives, falsePositives, visits, paddedCells } =
      reference;
    for (const [patient, expected] of golden.membership_log_prob_per_patient.entries())
      t.true(Math.abs((logProbability[patient] as number) / expected - 1) < 1e-6, `patient ${patient}`);
    const expected = golden.test_model_metrics_12_patients;
    const near = (name: string, value: number, wanted: number, tolerance = 1e-5) =>
      t.true(Math.abs(value / wanted - 1) < tolerance, `${name}: ${value}, expected ${wanted}`);
    const log = total(logProbability);
    near('log-probability', log, expected.log_probability, 1e-6);
    near('per visit', Math.exp(-log / total(visits)), expected.pp_visit, 1e-4);
    near('per positive', Math.exp(-log / total(positives)), expected.pp_positive);
    near('per possible', Math.exp(-log / total(cells)), expected.pp_possible);
    const [hits, alarms, positive, all] = [truePositives, falsePositives, positives, cells].map(total) as [
      number,
      number,
      number,
      number,
    ];
    t.deepEqual([all - positive - alarms, alarms, positive - hits, hits], expected.confusion_tn_fp_fn_tp);
    near('F1', (2 * hits) / (positive + hits + alarms), expected.f1, 1e-12);
    // The reference averages over batches, here of eight and of four patients.
    const padded = (from: number, to: number) =>
      -total(logProbability.subarray(from, to)) / ((to - from) * paddedCells);
    near('loss', (padded(0, 8) + padded(8, 12)) / 2, expected.avg_loss);
  });

  test.serial('our own count is of the cells that can occur, and longer records are cut', async (t) => {
    const { columns } = await goldenHalo();
    const { codes, labels } = tiny;
    const { cells, positives, logProbability } = await scoresOf(columns);
    const network = await openTiny(64);
    const batch = packPatients(layoutOf(tiny), columns, Int32Array.of(1), tiny.maxVisits);
    const logits = await network.logits(batch);
    network.dispose();
    t.is(batch.rows, 3);
    t.is(cells[1], labels + 2 * (codes + 1));
    t.is(positives[1], batch.targets.tokens.length);
    const target = new Set(
      batch.targets.tokens.map((token, i) => (batch.targets.rows[i] as number) * 40 + token),
    );
    let expected = 0;
    for (let cell = 0; cell < 3 * 40; cell++) {
      const column = cell % 40;
      const possible = cell < 40 ? column >= 32 && column < 37 : column < 32 || column === 38;
      const chance = 1 / (1 + Math.exp(-(logits[cell] as number)));
      if (possible) expected += Math.log(target.has(cell) ? chance : 1 - chance);
    }
    t.true(Math.abs((logProbability[1] as number) / expected - 1) < 1e-5);

    const long: VisitColumns = {
      visitOffsets: Int32Array.of(0, 9),
      codeOffsets: Int32Array.from({ length: 10 }, (_, visit) => visit),
      codes: Int32Array.from({ length: 9 }, (_, visit) => visit),
      labels: new Uint8Array(5),
    };
    const scored = await scoresOf(long);
    t.is(scored.cut, 1);
    t.is(scored.positives[0], 6);
    t.is(scored.cells[0], labels + 6 * (codes + 1));
  });
};
