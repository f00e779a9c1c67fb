import test from 'ava';
import { startBackend } from '../../../../infra/backend.ts';
import { nativeBinding } from '../../../../pipelines/nn/ops/native-binding.ts';
import { openOps } from '../../../../pipelines/nn/ops/open-ops.ts';
import type { Ops, Tensor } from '../../../../pipelines/nn/ops/ops.ts';
import { PortableOps } from '../../../../pipelines/nn/ops/portable-ops.ts';

/** Both implementations of the operations; PortableOps runs on whatever backend is active, here the native one. */
const both = async (): Promise<Record<string, Ops>> => ({
  native: await openOps(),
  portable: new PortableOps(),
});

test.before(async () => {
  await startBackend();
});

const matrix = (ops: Ops, shape: [number, number]): Tensor =>
  ops.upload(
    Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => i + 1),
    shape,
  );

/** Leaves numbers in freed memory, so that a result that was never written is not zero by chance. */
const litter = (ops: Ops, size: number): void => {
  ops.scope(() => ops.download(ops.scale(ops.upload(new Float32Array(size).fill(7), [size]), 3)));
};

test('sums over no entries at all are zero, and so are their gradients', async (t) => {
  t.truthy(nativeBinding(), 'these tests are about native TensorFlow');
  for (const [name, ops] of Object.entries(await both())) {
    litter(ops, 12);
    ops.scope(() => {
      const none = ops.uploadIndices(new Int32Array(0));
      t.deepEqual(
        ops.download(ops.segmentSum(matrix(ops, [5, 4]), none, none, 3)),
        new Float32Array(12),
        name,
      );
      const gradient = ops.segmentSumGradient(matrix(ops, [5, 4]), none, none, 3);
      t.deepEqual(gradient.shape, [3, 4]);
      t.deepEqual(ops.download(gradient), new Float32Array(12), name);
    });
    ops.dispose();
  }
});

test('sums over segments and their gradients', async (t) => {
  for (const [name, ops] of Object.entries(await both())) {
    ops.scope(() => {
      const rows = ops.uploadIndices(Int32Array.of(2, 0, 2));
      const segments = ops.uploadIndices(Int32Array.of(0, 2, 2));
      const sum = ops.segmentSum(matrix(ops, [3, 2]), rows, segments, 4);
      t.deepEqual([...ops.download(sum)], [5, 6, 0, 0, 6, 8, 0, 0], name);
      const gradient = ops.segmentSumGradient(matrix(ops, [4, 2]), rows, segments, 3);
      t.deepEqual([...ops.download(gradient)], [5, 6, 0, 0, 6, 8], name);
    });
    ops.dispose();
  }
});

test('the upper triangle of any rectangle, with its diagonal or without', async (t) => {
  for (const [name, ops] of Object.entries(await both())) {
    ops.scope(() => {
      const triangle = (shape: [number, number], strict: boolean) => [
        ...ops.download(ops.upperTriangle(matrix(ops, shape), strict)),
      ];
      t.deepEqual(triangle([3, 3], false), [1, 2, 3, 0, 5, 6, 0, 0, 9], name);
      t.deepEqual(triangle([3, 2], false), [1, 2, 0, 4, 0, 0], name);
      t.deepEqual(triangle([2, 3], true), [0, 2, 3, 0, 0, 6], name);
    });
    ops.dispose();
  }
});

test('products with a transposed right side, few rows and many, small matrices and large', async (t) => {
  const waves = (ops: Ops, shape: [number, number], pitch: number) =>
    ops.upload(
      Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i * pitch)),
      shape,
    );
  for (const [rows, inner, outer] of [
    [3, 5, 7],
    [10, 200, 300],
    [300, 200, 300],
  ] as const)
    for (const [name, ops] of Object.entries(await both())) {
      ops.scope(() => {
        const [a, b] = [waves(ops, [rows, inner], 0.7), waves(ops, [outer, inner], 0.3)];
        const product = ops.matMul(a, b, { transposeB: true });
        t.deepEqual([...product.shape], [rows, outer]);
        const expected = ops.download(ops.matMul(a, ops.transpose(b, [1, 0])));
        const furthest = ops
          .download(product)
          .reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] as number))), 0);
        t.true(furthest < 1e-4, `${name}, ${rows} × ${inner} × ${outer}: ${furthest}`);
      });
      ops.dispose();
    }
});
