import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import { fitHalo } from '../../../../../pipelines/generators/halo/training/fitting.ts';
import halo from '../../../../../pipelines/generators/halo.ts';
import { deviceArrays } from '../../../../../pipelines/nn/ops/open-ops.ts';
import { planted } from '../../planted-cohort.ts';

test.before(async () => {
  await startBackend();
});

const script = fileURLToPath(new URL('../../memory-of-training.ts', import.meta.url));

for (const size of [
  { codes: 3000, layers: 2, heads: 4, embedding: 128, batch: 48 },
  { codes: 2020, layers: 4, heads: 4, embedding: 256, batch: 48 },
])
  test.serial(
    `the predicted memory is neither too small by a quarter nor twice too large: ${size.layers} × ${size.embedding}`,
    async (t) => {
      const config = JSON.stringify({ ...size, calibration: 0 });
      const { stdout } = await promisify(execFile)(process.execPath, [script, config]);
      const { predicted, peak } = JSON.parse(stdout);
      t.true(
        predicted > 0.75 * peak && predicted < 2 * peak,
        `${predicted} MiB predicted, ${peak} MiB at peak`,
      );
    },
  );

test.serial(
  'a training that does not fit is refused before it begins, with numbers and advice',
  async (t) => {
    const before = deviceArrays();
    const config = { preset: 'paper', layers: 40, memoryGib: 2 };
    const error = await t.throwsAsync(() => fitHalo(planted(), halo.config.parse(config), 1), {
      name: 'OutOfMemory',
    });
    t.regex(error.message, /about \d+\.\d\d GiB \(weights 1\.\d\d GiB, .* but 2\.00 GiB can be had/);
    t.regex(error.message, /layers: 40, embedding: 768.*batch \(48\).*blockColumns \(512\).*memoryGib/s);
    t.is(deviceArrays(), before);
  },
);

test.serial('the limit is no setting of the model', async (t) => {
  const small = { layers: 1, heads: 2, embedding: 8, epochs: 1 };
  const limited = await fitHalo(planted(), halo.config.parse({ ...small, memoryGib: 64 }), 1);
  const free = await fitHalo(planted(), halo.config.parse(small), 1);
  t.deepEqual(limited.settings, free.settings);
  t.deepEqual(limited.facts, free.facts);
  for (const fitting of [limited, free]) fitting.dispose();
});
