import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import promptehr from '../../../../../pipelines/generators/promptehr.ts';
import { deviceArrays } from '../../../../../pipelines/nn/ops/open-ops.ts';
import { planted } from '../../planted-cohort.ts';

test.before(async () => {
  await startBackend();
});

const script = fileURLToPath(new URL('../../memory-of-training.ts', import.meta.url));
const small = {
  generator: 'promptehr',
  encoderLayers: 2,
  decoderLayers: 2,
  calibration: 0,
  batch: 16,
  start: 'random',
};

for (const [title, size] of Object.entries({
  'many weights': { codes: 3000, width: 256, attentionHeads: 4, feed: 1024 },
  'long records': { codes: 300, width: 64, attentionHeads: 4, feed: 256, visits: 12, contextTokens: 256 },
}))
  test.serial(
    `the predicted memory is neither too small by a quarter nor twice too large: ${title}`,
    async (t) => {
      const { stdout } = await promisify(execFile)(process.execPath, [
        script,
        JSON.stringify({ ...small, ...size }),
      ]);
      const { predicted, peak } = JSON.parse(stdout);
      t.log(`${Math.round(predicted)} MiB predicted, ${Math.round(peak)} MiB at peak`);
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
    const config = promptehr.config.parse({ preset: 'paper', memoryGib: 2 });
    const error = await t.throwsAsync(() => promptehr.fit(planted(), config, 1), { name: 'OutOfMemory' });
    t.regex(
      error.message,
      /^promptehr: training takes about \d+\.\d\d GiB \(weights 0\.\d\d GiB, .* but 2\.00 GiB can be had/,
    );
    t.regex(
      error.message,
      /width: 768, encoderLayers: 6.*contextTokens: 1024.*smaller batch \(16\).*memoryGib/,
    );
    t.is(deviceArrays(), before);
  },
);

test.serial('the limit is no setting of the model', async (t) => {
  const config = {
    width: 16,
    encoderLayers: 1,
    decoderLayers: 1,
    attentionHeads: 2,
    feed: 16,
    promptHidden: 4,
  };
  const limited = await promptehr.fit(planted(), promptehr.config.parse({ ...config, memoryGib: 64 }), 1);
  const free = await promptehr.fit(planted(), promptehr.config.parse(config), 1);
  t.deepEqual(limited.settings, free.settings);
  t.deepEqual(limited.facts, free.facts);
  for (const fitting of [limited, free]) fitting.dispose();
});
