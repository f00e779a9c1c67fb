import type { TestFn } from 'ava';
import { exactGelu, exactGeluBackward, linear } from '../../../../pipelines/nn/layers/layers.ts';
import { freeTrace, tidyTrace } from '../../../../pipelines/nn/layers/trace.ts';
import { openOps } from '../../../../pipelines/nn/ops/open-ops.ts';

const near = (found: ArrayLike<number>, expected: readonly number[], tolerance: number): boolean =>
  found.length === expected.length &&
  expected.every((value, i) => Math.abs((found[i] as number) - value) <= tolerance);

/** The operations that PromptEHR brought, on whatever backend `start` starts, against closed forms. */
export const testOps = (test: TestFn, start: () => Promise<unknown>): void => {
  test.serial.before(async () => {
    await start();
  });

  test.serial('erf, exp and a sum of squares', async (t) => {
    const ops = await openOps();
    ops.scope(() => {
      const x = ops.upload(Float32Array.of(-3, -0.5, 0, 0.25, 1, 2), [2, 3]);
      // Abramowitz and Stegun, Handbook of mathematical functions, table 7.1.
      const erf = [-0.999977909503, -0.520499877813, 0, 0.276326390168, 0.84270079295, 0.995322265019];
      t.true(near(ops.download(ops.erf(x)), erf, 1e-6));
      t.deepEqual([...ops.erf(x).shape], [2, 3]);
      t.true(Math.abs(ops.sumOfSquares(x) - 14.3125) < 1e-5);
      const exp = [-3, -0.5, 0, 0.25, 1, 2].map(Math.exp);
      t.true(near(ops.download(ops.exp(x)), exp, 1e-5));
    });
    t.is(ops.held, 0);
    ops.dispose();
  });

  test.serial('Adam shrinks a variable after its update, to zero at most', async (t) => {
    const ops = await openOps();
    const variable = ops.variable('w', [2, 2], { value: Float32Array.of(1, -1, 0.03, -0.02) });
    ops.scope(() => {
      const gradient = ops.upload(Float32Array.of(0, 3, 0, 0), [2, 2]);
      const rates = { ...{ beta1: 0, beta2: 0, epsilon: 1e-8 }, ...{ rate: 0.125, shrink: 0.0625 } };
      ops.adam(variable, gradient, rates);
      t.true(near(ops.download(variable), [0.9375, -1.0625, 0, 0], 1e-6));
      ops.adam(variable, gradient, { ...rates, shrink: 0 });
      t.true(near(ops.download(variable), [0.9375, -1.1875, 0, 0], 1e-6));
    });
    ops.dispose();
    t.is(ops.held, 0);
  });

  test.serial('rounded products, where there are any', async (t) => {
    const ops = await openOps();
    ops.scope(() => {
      const short = ops.rounded;
      const shape = { weight: ops.variable('w', [2, 1], { value: Float32Array.of(257, 1) }) };
      const layer = {
        ...shape,
        bias: ops.variable('b', [1], { value: Float32Array.of(0.5) }),
        rounded: true,
      };
      const input = ops.upload(Float32Array.of(1, 0), [1, 2]);
      // Asked for where there are none, they are those of float32.
      t.deepEqual([...ops.download(linear(ops, layer, input))], [short ? 256.5 : 257.5]);
      if (!short) return;
      // 257 needs nine bits: it ties between 256 and 258, and goes to the even one. 3 × 256 + 5 = 773 goes to 772.
      const a = ops.upload(Float32Array.of(257, 1, 0.5, 2), [2, 2]);
      const b = ops.upload(Float32Array.of(3, 0, 5, 4), [2, 2]);
      const product = short.multiply(short.round(a), short.round(b));
      t.deepEqual([...ops.download(product)], [772, 4, 11.5, 8]);
      const turned = short.multiply(short.round(b), short.round(a), { transposeA: true, transposeB: true });
      t.deepEqual([...ops.download(turned)], [772, 11.5, 4, 8]);
    });
    ops.dispose();
  });

  test.serial('cross-entropy and its slopes, also where logits are far apart', async (t) => {
    const ops = await openOps();
    ops.scope(() => {
      const rows = [
        [Math.log(1), Math.log(2), Math.log(5)],
        [200, 0, -200],
        [0, 0, 0],
      ];
      const logits = ops.upload(Float32Array.from(rows.flat()), [3, 3]);
      const { losses, slopes } = ops.crossEntropy(logits, ops.uploadIndices(Int32Array.of(2, 1, 0)));
      t.true(near(ops.download(losses), [Math.log(8 / 5), 200, Math.log(3)], 1e-4));
      const expected = [1 / 8, 2 / 8, 5 / 8 - 1, 1, -1, 0, 1 / 3 - 1, 1 / 3, 1 / 3];
      t.true(near(ops.download(slopes), expected, 1e-6));
    });
    t.is(ops.held, 0);
    ops.dispose();
  });

  test.serial('the exact GELU and its slope', async (t) => {
    const ops = await openOps();
    ops.scope(() => {
      const x = ops.upload(Float32Array.of(-1, 0, 2), [1, 3]);
      const trace = exactGelu(ops, x);
      // x·Φ(x), with Φ(-1) = 0.158655253931 and Φ(2) = 0.977249868052.
      t.true(near(ops.download(trace.out), [-0.158655253931, 0, 1.954499736104], 1e-6));
      const dy = ops.upload(Float32Array.of(1, 2, 10), [1, 3]);
      const density = (z: number) => Math.exp(-(z ** 2) / 2) / Math.sqrt(2 * Math.PI);
      const slopes = [0.158655253931 - density(1), 2 * 0.5, 10 * (0.977249868052 + 2 * density(2))];
      t.true(near(ops.download(exactGeluBackward(ops, trace, dy)), slopes, 1e-5));
    });
    ops.dispose();
  });

  test.serial('arrays are stacked and taken apart again', async (t) => {
    const ops = await openOps();
    ops.scope(() => {
      const rows = [
        [1, 2, 3],
        [4, 5, 6],
      ].map((row) => ops.upload(Float32Array.from(row), [1, 3]));
      const stacked = ops.stack(rows);
      t.deepEqual(stacked.shape, [2, 1, 3]);
      t.deepEqual([...ops.download(stacked)], [1, 2, 3, 4, 5, 6]);
      const [, second] = ops.tidy(() => ops.unstack(stacked));
      t.deepEqual(second?.shape, [1, 3]);
      t.deepEqual(second && [...ops.download(second)], [4, 5, 6]);
      t.is(ops.held, 5);
    });
    t.is(ops.held, 0);
    ops.dispose();
  });

  test.serial('a tidied trace keeps its tensors and no others', async (t) => {
    const ops = await openOps();
    ops.scope(() => {
      const x = ops.upload(Float32Array.of(1, 2), [2]);
      const before = ops.held;
      const trace = tidyTrace(ops, () => {
        const twice = ops.scale(x, 2);
        const deep = [{ shifted: ops.shift(twice, 1) }];
        return { x, deep, none: undefined, square: ops.square(ops.shift(twice, 3)) };
      });
      t.is(ops.held, before + 2);
      t.deepEqual([...ops.download(trace.square)], [25, 49]);
      freeTrace(ops, [trace.deep, trace.none, trace.square]);
      t.is(ops.held, before);
      const both = ops.tidy(() => [ops.shift(x, 1), ops.scale(ops.shift(x, 5), 2)] as const);
      t.deepEqual([...ops.download(both[1])], [12, 14]);
      t.is(ops.held, before + 2);
    });
    t.is(ops.held, 0);
    ops.dispose();
  });
};
