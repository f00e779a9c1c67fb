import test from 'ava';
import { startBackend } from '../../../infra/backend.ts';
import { chosenEpoch, foldsOf } from '../../../pipelines/generation/cross-validation.ts';
import type { Fitting, StepReport, TrainingData } from '../../../pipelines/generation/generator.ts';
import { type LearningCurve, recordStep } from '../../../pipelines/generation/learning-curve.ts';
import { generatorNamed } from '../../../pipelines/generators/registry.ts';
import { decodeSaved, encodeSaved } from '../../../pipelines/kernel/safetensors.ts';
import { patientCount, selectPatients } from '../../../pipelines/patients/visit-columns.ts';
import { planted } from '../generators/planted-cohort.ts';

test.before(async () => {
  await startBackend();
});

/** Sixty training patients, and too few to validate on. */
const data: TrainingData = {
  ...planted(),
  validation: selectPatients(planted().validation, Int32Array.of(0, 1)),
};
const halo = generatorNamed('halo');
const settings = {
  ...{ layers: 1, heads: 1, embedding: 8, batch: 16, learningRate: 0.02, dropout: 0.2, sparsity: 0.3 },
  ...{ epochs: 6, patience: 2, folds: 3, calibration: 0 },
};
const fit = (more: object = {}, on = data): Promise<Fitting> =>
  halo.fit(on, halo.config.parse({ ...settings, ...more }), 7);

test('each patient with a visit is left out of one fold, and learned from in all others', (t) => {
  const folds = foldsOf(data, 4, 1);
  t.deepEqual(
    folds.map(({ validation }) => patientCount(validation)),
    [15, 15, 15, 15],
  );
  t.true(folds.every(({ train }) => patientCount(train) === 45));
  const codesOf = (all: readonly TrainingData[]) =>
    all.reduce((sum, { validation }) => sum + validation.codes.length, 0);
  t.is(codesOf(folds), data.train.codes.length);
  const first = (seed: number) => [...(foldsOf(data, 4, seed)[0] as TrainingData).validation.codes];
  t.deepEqual(first(1), first(1));
  t.notDeepEqual(first(1), first(2));
});

/** Epochs of two folds; `learned`: the mean loss of training batches, by default falling like the others'. */
const epochsOf = (losses: readonly [number, number][], learned?: readonly number[]) =>
  losses.map(([a, b], i) => ({ losses: [a, b], learned: 2 * (learned?.[i] ?? (a + b) / 2), batches: 2 }));

test('the epoch is the first whose loss is not surely above the lowest', (t) => {
  const rising: [number, number][] = [
    [1, 3],
    [2, 4],
    [3, 5],
  ];
  t.is(chosenEpoch(epochsOf(rising)), 1);
  t.is(chosenEpoch(epochsOf(rising.toReversed())), 3);
  const falling: [number, number][] = [
    [1.6, 2.6],
    [1.3, 1.9],
    [1, 2],
  ];
  // 0.1 ± 0.2 above the lowest, after 0.6 ± 0.
  t.is(chosenEpoch(epochsOf(falling)), 2);
  // The differences count, not the losses: all folds agree.
  const agreed = epochsOf([
    [1.1, 9.1],
    [1, 9],
  ]);
  t.is(chosenEpoch(agreed), 2);
});

test('an epoch must gain for the patients left out at least half of what it gains for the others', (t) => {
  const losses: [number, number][] = [
    [5, 5],
    [4, 4],
    [3.9, 3.9],
    [3.8, 3.8],
  ];
  t.is(chosenEpoch(epochsOf(losses, [5, 3.1, 2.92, 2.74])), 4);
  t.is(chosenEpoch(epochsOf(losses, [5, 3.1, 2.7, 2.65])), 2, '0.1 of 0.4 in the third');
  t.is(chosenEpoch(epochsOf(losses, [5, 2.9, 2.8, 2.7])), 1);
});

test.serial('one model learns from all patients for the epochs that the folds choose', async (t) => {
  const fitting = await fit();
  t.is(fitting.steps, 3 * 6 * 3 + 4 * 6, 'three folds of 40 patients, then 60');
  const curve: LearningCurve = [];
  let [repeats, steps] = [0, 0];
  for (let step = 1; !fitting.finished; step++) {
    const report: StepReport = await fitting.step();
    steps = step;
    if (report.isRepeat) repeats++;
    recordStep(curve, step, report);
  }
  const [, chosen] = /^after epoch (\d) of at most 6, chosen by cross-validation with 3 folds$/.exec(
    String(fitting.facts['earlyStopping']),
  ) as RegExpExecArray;
  t.is(repeats, 4 * Number(chosen));
  t.is(fitting.steps, steps, 'once the epochs are chosen, what is left is known');
  t.true(curve.every(({ validationLoss, batches }) => validationLoss !== undefined && batches === 9));
  const plain = await fit({ folds: 0 });
  t.is(plain.steps, 24);
  for (let step = 0; step < repeats; step++) await plain.step();
  t.deepEqual(encodeSaved(await fitting.model()), encodeSaved(await plain.model()));
  fitting.dispose();
  plain.dispose();
});

test.serial('put away in a fold, between folds or after them, it goes on bit for bit', async (t) => {
  const whole = await fit();
  const put = new Map<number, Uint8Array>();
  const reports: StepReport[] = [];
  for (let step = 0; !whole.finished; step++) {
    const report = await whole.step();
    reports.push(report);
    // In the second fold of the first epoch, at the end of an epoch, in the last epochs of the folds, after them.
    const isAfter = report.isRepeat && put.size < 6;
    if ([4, 9].includes(step + 1) || isAfter) put.set(step + 1, encodeSaved(await whole.save()));
  }
  const first = reports.findIndex(({ isRepeat }) => isRepeat);
  t.true(put.has(first + 1));
  for (const [stop, bytes] of put) {
    const other = await fit();
    await other.load(decodeSaved(bytes));
    for (let step = stop; step < reports.length; step++) t.deepEqual(await other.step(), reports[step]);
    t.true(other.finished);
    t.deepEqual(encodeSaved(await other.save()), encodeSaved(await whole.save()));
    t.deepEqual(other.facts, whole.facts);
    t.is(other.steps, reports.length);
    other.dispose();
  }
  const other = await fit({ folds: 2 });
  await t.throwsAsync(async () => other.load(decodeSaved(put.get(4) as Uint8Array)), {
    name: 'ArtifactCorrupt',
    message: /expected a cross-validated training with 2 folds/,
  });
  other.dispose();
  whole.dispose();
});

test.serial(
  'with enough patients to validate on, or epochs that are asked for, there are no folds',
  async (t) => {
    const steered = await fit({}, planted());
    t.is(steered.steps, 24);
    t.regex(String(steered.facts['earlyStopping']), /^after 2 epochs/);
    steered.dispose();
    const asked = await fit({ folds: undefined });
    t.is(asked.steps, 24);
    asked.dispose();
  },
);
