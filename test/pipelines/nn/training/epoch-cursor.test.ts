import test from 'ava';
import { drainAsync } from '../../../../pipelines/kernel/steps.ts';
import { epochsFor, trainEpochs } from '../../../../pipelines/nn/training/epoch-cursor.ts';
import { presetFor, withPreset } from '../../../../pipelines/nn/training/presets.ts';

/** Runs two batches an epoch with these validation losses, epoch by epoch; gives the epochs and what improved. */
const run = async (losses: number[][], patience: number, epochs = 20) => {
  const learned: string[] = [];
  const improved: string[] = [];
  await drainAsync(
    trainEpochs(
      'models',
      { batches: 2, epochs, patience },
      {
        batchesOf: (epoch) => [`${epoch}a`, `${epoch}b`],
        learn: (batch, epoch, index) => learned.push(`${batch}${epoch}${index}`),
        validate: (epoch) => losses[epoch - 1] ?? [1, 1],
        improved: (epoch, models) => improved.push(`${epoch}: ${models.join()}`),
      },
    ),
  );
  return { learned, improved };
};

test('a training ends when no model has improved for so many epochs', async (t) => {
  const { learned, improved } = await run(
    [
      [0.5, 0.9],
      [0.6, 0.4],
      [0.5, 0.4],
    ],
    2,
  );
  t.deepEqual(improved, ['1: true,true', '2: false,true']);
  t.deepEqual(learned, ['1a10', '1b11', '2a20', '2b21', '3a30', '3b31', '4a40', '4b41']);
});

test('or when all epochs are done; a loss that is not finite is Diverged', async (t) => {
  t.is((await run([], 100, 3)).learned.length, 6);
  await t.throwsAsync(() => run([[0.5], [Number.NaN]], 5), {
    name: 'Diverged',
    message: /^models: .*epoch 2/,
  });
});

test('small sets get more epochs', (t) => {
  t.is(epochsFor(10, 5, 400), 40);
  t.is(epochsFor(1000, 5, 400), 5);
});

test('presets go by training patients, and give way to what a user sets', (t) => {
  const table = {
    paper: { layers: 12 },
    bySize: [
      [0, { layers: 1 }],
      [100, { layers: 2 }],
    ],
  } satisfies Parameters<typeof presetFor<{ layers: number }>>[0];
  t.deepEqual(
    [0, 99, 100, 1e6].map((patients) => presetFor(table, 'auto', patients).layers),
    [1, 1, 2, 2],
  );
  t.is(presetFor(table, 'paper', 5).layers, 12);
  const config: { layers?: number; width: number; memoryGib?: number } = {
    layers: undefined,
    width: 3,
    memoryGib: 1,
  };
  t.deepEqual(withPreset(config, { layers: 2 }), { layers: 2, width: 3 });
  t.deepEqual(withPreset({ ...config, layers: 4 }, { layers: 2 }), { layers: 4, width: 3 });
});
