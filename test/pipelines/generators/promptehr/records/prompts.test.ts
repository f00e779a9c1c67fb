import test from 'ava';
import { startBackend } from '../../../../../infra/backend.ts';
import { promptRows } from '../../../../../pipelines/generators/promptehr/network/architecture.ts';
import {
  promptForward,
  promptInputs,
  promptLayerOf,
} from '../../../../../pipelines/generators/promptehr/network/prompts.ts';
import { distance, openSmall, small, smallBatch } from '../small.ts';

test.before(async () => {
  await startBackend();
});

test.serial('pooled features are one row, the sum of what would be their own', async (t) => {
  const rowsOf = async (pooled: number) => {
    const architecture = { ...small, pooled };
    const network = await openSmall(architecture);
    const layer = promptLayerOf(architecture, 'decoder', (name) => network.variable(name));
    const rows = network.ops.scope(() => {
      const inputs = promptInputs(network.ops, architecture, 3, smallBatch);
      const { out } = promptForward(network.ops, layer, inputs);
      return out && network.ops.download(out);
    });
    network.dispose();
    return { rows: rows ?? new Float32Array(0), count: promptRows(architecture) };
  };
  const [own, pooled] = [await rowsOf(0), await rowsOf(2)];
  t.deepEqual([own.count, pooled.count, promptRows({ ...small, pooled: 1 })], [5, 4, 5]);
  const { width } = small;
  for (let patient = 0; patient < 3; patient++) {
    const line = (of: typeof own, row: number) =>
      of.rows.subarray((patient * of.count + row) * width, (patient * of.count + row + 1) * width);
    for (let row = 0; row < 3; row++) t.deepEqual(line(pooled, row), line(own, row));
    const sum = line(own, 3).map((value, i) => value + (line(own, 4)[i] as number));
    t.true(distance(line(pooled, 3), sum) < 1e-6);
  }
});
