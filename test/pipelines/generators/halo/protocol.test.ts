import test from 'ava';
import { startBackend } from '../../../../infra/backend.ts';
import { drawnLabel } from '../../../../pipelines/generation/generator.ts';
import { haloConfig, resolveHalo } from '../../../../pipelines/generators/halo/training/config.ts';
import halo from '../../../../pipelines/generators/halo.ts';
import type { VisitColumns } from '../../../../pipelines/patients/visit-columns.ts';
import { stages } from '../../../../schemas/stages/index.ts';
import { planted, quickSettings } from '../planted-cohort.ts';

/** The paper's way of training and what it promises of conditional generation, from end to end. */

test.before(async () => {
  await startBackend();
});

test('a fifth of the patients is held out, and a tenth of the others validates', (t) => {
  const { split } = stages.assemble.params.parse({});
  t.is(split.holdout, 0.2);
  t.true(Math.abs(split.validation - 0.1 * (1 - split.holdout)) < 1e-12);
});

test('the larger the cohort, the fewer epochs and the weaker the penalty; the paper’s preset is its own', (t) => {
  const settings = (patients: number, config: object = {}) =>
    resolveHalo(haloConfig.parse(config), {
      ...planted().train,
      visitOffsets: Int32Array.from({ length: patients + 1 }, (_, i) => i),
    });
  const sizes = [100, 1000, 5000, 20_000].map((patients) => settings(patients));
  for (const [i, { layers, embedding, learningRate, epochs, weightDecay }] of sizes.entries()) {
    t.deepEqual([layers, embedding, learningRate], [2, 128, 1e-3]);
    t.true(epochs <= (sizes[i - 1]?.epochs ?? epochs));
    t.true(weightDecay <= (sizes[i - 1]?.weightDecay ?? weightDecay));
  }
  t.like(settings(25_000), { layers: 12, embedding: 768, learningRate: 1e-4, calibration: 4 });
  t.like(settings(100, { preset: 'paper' }), {
    ...{ layers: 12, heads: 12, embedding: 768, batch: 48, learningRate: 1e-4, epochs: 50, calibration: 0 },
    ...{ start: 'random', schedule: 'constant', weightDecay: 0 },
  });
});

test.serial(
  'patients drawn for a label have its codes, and the labels not asked for their share',
  async (t) => {
    const data = planted();
    const config = haloConfig.parse(quickSettings['halo']);
    const fitting = await halo.fit(data, config, 1);
    while (!fitting.finished) await fitting.step();
    const sampler = await halo.open(await fitting.model(), config, data.vocabulary);
    fitting.dispose();
    const people = 400;
    const asking = (...row: number[]) =>
      sampler.sample({
        ...{ first: 0, count: people, seed: 4 },
        labels: Uint8Array.from({ length: people * 2 }, (_, i) => row[i % 2] as number),
      });
    /** Share of visits with a code. */
    const share = ({ codes, codeOffsets }: VisitColumns, code: number) =>
      codes.filter((found) => found === code).length / (codeOffsets.length - 1);
    const labeled = ({ labels }: VisitColumns, label: number) =>
      labels.filter((present, i) => i % 2 === label && present === 1).length / people;

    // Label 0 says whether codes 2 and 3 come or codes 4 and 5; label 1 says nothing.
    const [first, second, noisy] = [
      await asking(1, drawnLabel),
      await asking(0, drawnLabel),
      await asking(drawnLabel, 1),
    ];
    t.is(labeled(first, 0), 1);
    t.is(labeled(second, 0), 0);
    t.is(labeled(noisy, 1), 1);
    for (const code of [2, 3])
      t.true(share(first, code) > 0.9 && share(second, code) < 0.1, `code ${code}: ${share(first, code)}`);
    for (const code of [4, 5])
      t.true(share(second, code) > 0.9 && share(first, code) < 0.1, `code ${code}: ${share(second, code)}`);
    const real = (label: number) =>
      data.train.labels.filter((present, i) => i % 2 === label && present === 1).length / 60;
    for (const columns of [first, second])
      t.true(Math.abs(labeled(columns, 1) - real(1)) < 0.15, `${labeled(columns, 1)} of ${real(1)}`);
    t.true(Math.abs(labeled(noisy, 0) - real(0)) < 0.15, `${labeled(noisy, 0)} of ${real(0)}`);
    sampler.dispose();
  },
);
